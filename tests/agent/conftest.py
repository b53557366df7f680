# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests with kmln-agent in them, put there by the setting as kmln does it."""

import pytest

import agentclient
import guests
import images
import kernels


@pytest.fixture
def box(guest, tmp_path):
    return agentclient.with_agent(guests.copy(guest("busybox"), tmp_path / "box.img"))


@pytest.fixture(scope="session")
def cloud():
    """Debian's cloud kernel."""
    return kernels.kernel("linux-image-cloud-amd64")


@pytest.fixture
def box_with_driver(box, cloud, tmp_path):
    """It can load the driver of virtio ports, and has not done so."""
    driver = next((cloud.folder / cloud.modules.lstrip("/")).rglob("virtio_console.ko*"))
    assert driver.suffix == ".ko"
    (tmp_path / "modules.dep").write_text("virtio_console.ko:\n")
    images.debugfs(box, f"mkdir /lib/modules/{cloud.release}", f"cd /lib/modules/{cloud.release}",
                   f"write {driver} virtio_console.ko", f"write {tmp_path}/modules.dep modules.dep")
    return box
