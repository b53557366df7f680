" SPDX-License-Identifier: GPL-2.0-or-later
" Vim syntax file for projects of kmln and MLN (*.kmln, *.mln).
" Made from kmln's table of words by scripts/generate: change that, not this file.
" Install: copy to ~/.vim/syntax/kmln.vim, and put into ~/.vim/ftdetect/kmln.vim:
"     au BufRead,BufNewFile *.kmln,*.mln setfiletype kmln

if exists("b:current_syntax")
  finish
endif
syn case match
syn iskeyword @,48-57,_,-

syn keyword kmlnBlock contained autoenum autoenum0 autoenum1 autoenum2 autoenum3 autoenum4
syn keyword kmlnBlock contained autoenum5 files global groups host kvm modules mount network
syn keyword kmlnBlock contained packages service_hosts sshkey superclass switch users remove
syn keyword kmlnBlock contained replace
syn keyword kmlnHook contained afterHostsStart afterHostsStop afterProjectStart afterProjectStop
syn keyword kmlnHook contained beforeHostsStart beforeHostsStop beforeProjectStart
syn keyword kmlnHook contained beforeProjectStop shutdown startup
syn keyword kmlnWord contained address addresses_begin after auto autouser boot_order bridge
syn keyword kmlnWord contained broadcast count cow_filesystem cpus delay family filesystem
syn keyword kmlnWord contained forward free_space gateway group hostprefix hostsFile hub hvm
syn keyword kmlnWord contained image internalswap kernel loss mac manual memory nameserver net
syn keyword kmlnWord contained netmask nice numhosts owner platform project ramdisk rate ready
syn keyword kmlnWord contained root_passwd service_host size slirp socket swap tap template term
syn keyword kmlnWord contained tun_address tun_iface type uplink vcpus work xen
syn keyword kmlnIdle contained color copy_modules devfs display display_port dyndns filepath
syn keyword kmlnIdle contained hosts location lock_dir lock_timeout locking lvm lvm_snapshot
syn keyword kmlnIdle contained lvm_vg modules_dir mount_partition project_password roles sudo
syn keyword kmlnIdle contained vncdisplay vnckeymap vncpasswd vtun xen_extra
syn keyword kmlnRefused contained apache ec2 extra fedora iscsi iscsi_target openstack postfix
syn keyword kmlnRefused contained puppet virtual_site vmware vncplugin windows
syn keyword kmlnChoice contained agent auto busybox compute console container debian dhcp hub io kvm nat network none off on port qemu redhat screen suse switch syscalls uml xen xterm

" a word is a keyword only where an item begins
syn match kmlnItem "\(^\|[;{}]\)\s*\zs[A-Za-z_][A-Za-z0-9_-]*" contains=kmlnBlock,kmlnHook,kmlnWord,kmlnIdle,kmlnRefused
syn match kmlnValue "\(\k\s\+\)\@<=\k\+" contains=kmlnChoice,kmlnNumber
syn match kmlnNumber "\<\d\+\(\.\d\+\)\?\(kB\|KB\|MB\|GB\|[bKMGT]\|us\|ms\|s\|%\|[kMG]\?bit\)\?\>%\?"
syn match kmlnAddress "\<\d\+\.\d\+\.\d\+\.\d\+\(/\d\+\)\?"
syn match kmlnVariable "\$\(\[\w\+\]\|\w\+\)"
syn match kmlnEscape "\\[\\\"$]" contained
syn region kmlnString start=+"+ skip=+\\.+ end=+"+ oneline contains=kmlnVariable,kmlnEscape
syn match kmlnComment "\(^\|\s\)\zs#.*$"
syn match kmlnInclude "^\s*#include\s.*$"
syn region kmlnShell matchgroup=kmlnHook start="\<\(afterHostsStart\|afterHostsStop\|afterProjectStart\|afterProjectStop\|beforeHostsStart\|beforeHostsStop\|beforeProjectStart\|beforeProjectStop\|shutdown\|startup\)\s*{" end="}" contains=kmlnVariable,kmlnBraces,kmlnComment,kmlnString
syn region kmlnBraces start="{" end="}" contained contains=kmlnBraces,kmlnVariable,kmlnComment,kmlnString

hi def link kmlnBlock Structure
hi def link kmlnHook Structure
hi def link kmlnWord Keyword
hi def link kmlnChoice Constant
hi def link kmlnIdle Comment
hi def link kmlnRefused Error
hi def link kmlnNumber Number
hi def link kmlnAddress Number
hi def link kmlnVariable Identifier
hi def link kmlnEscape SpecialChar
hi def link kmlnString String
hi def link kmlnComment Comment
hi def link kmlnInclude Include
let b:current_syntax = "kmln"
