"""QEMU's command line for one machine of the lab."""

import shlex
from pathlib import Path

from checks.lab.backend import Wiring
from checks.lab.image import Image

PORTS = 8
MEMORY_MIB = 2048
# What a cloud kernel probes in vain for seconds, and checks that emulation slows. On a busy computer
# the frequency of an emulated TSC is measured so wrongly that minutes pass in seconds. QEMU keeps what
# it translated of a program by its address: without `norandmaps`, every start is translated anew.
KERNEL_ARGUMENTS = (
    "console=ttyS0 net.ifnames=0 quiet mitigations=off nokaslr norandmaps tsc=reliable clocksource=acpi_pm"
    " no_timer_check random.trust_cpu=on raid=noautodetect cryptomgr.notests systemd.show_status=no"
)
# Emulated processors of one machine mostly wait for each other: a second one costs a third more work.
PROCESSORS = 1


def control(wiring: Wiring) -> Path:
    return wiring.folder / "qmp"


def agent(wiring: Wiring) -> Path:
    return wiring.folder / "agent"


def has_kvm(cpuinfo: str) -> bool:
    """Whether KVM works: some nested hosts have a /dev/kvm that runs no usual kernel."""
    flags = set(cpuinfo.split())
    return bool({"vmx", "svm"} & flags) and Path("/dev/kvm").exists()


def hardware(image: Image, arguments: str = "") -> list[str]:
    """What the guest sees. A saved state only wakes on the very same hardware."""
    kvm = has_kvm(Path("/proc/cpuinfo").read_text())
    argv = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none"]
    argv += ["-machine", "q35,usb=off,vmport=off", "-m", str(MEMORY_MIB), "-smp", str(PROCESSORS)]
    argv += ["-accel", "kvm", "-cpu", "host"] if kvm else ["-accel", "tcg,thread=multi", "-cpu", "max"]
    argv += ["-kernel", str(image.kernel), "-initrd", str(image.initrd)]
    argv += ["-append", f"{KERNEL_ARGUMENTS} {arguments}".rstrip()]
    # NVMe, which the kernel has built in, cannot be saved by QEMU 7.2.
    argv += ["-device", "virtio-blk-pci,drive=root,bus=pcie.0,addr=2"]
    argv += ["-device", "virtio-net-pci,netdev=net,mac=52:54:00:77:00:00,bus=pcie.0,addr=3"]
    argv += ["-device", "virtio-serial-pci,id=serial,bus=pcie.0,addr=4"]
    argv += ["-device", "virtserialport,bus=serial.0,chardev=agent,name=lab", "-serial", "chardev:console"]
    for port in range(PORTS):
        argv += ["-device", f"pcie-root-port,id=port{port},bus=pcie.0,chassis={port + 1},addr={port + 16:x}"]
    return argv


def argv(image: Image, wiring: Wiring) -> list[str]:
    """The whole command line. A root disk is a qcow2 overlay if its name says so."""
    snapshot = "off" if wiring.keep_root else "on"
    layout = "qcow2" if wiring.root.suffix == ".qcow2" else "raw"
    drive = f"id=root,if=none,format={layout},cache=unsafe,snapshot={snapshot},file={escaped(wiring.root)}"
    argv = [*hardware(image, wiring.arguments), "-drive", drive]
    argv += ["-netdev", f"tap,id=net,ifname={wiring.tap},script=no,downscript=no,vhost=off"]
    argv += ["-chardev", f"socket,id=agent,path={escaped(agent(wiring))},server=on,wait=off"]
    argv += ["-chardev", f"file,id=console,path={escaped(wiring.console)},append=on"]
    argv += ["-qmp", f"unix:{escaped(control(wiring))},server=on,wait=off"]
    if wiring.wake_from:
        argv += ["-incoming", f"exec:cat {shlex.quote(str(wiring.wake_from.memory))}"]
    return argv


def escaped(path: Path) -> str:
    """A comma ends an option's value in QEMU unless it is doubled."""
    return str(path).replace(",", ",,")
