"""Machines that exist in memory only, for tests of the API itself."""

from dataclasses import dataclass, field

from checks.lab.ec2.machines import Launch, Power


@dataclass
class Imaginary:
    """Tests may hold back what would happen: `boots`, `plugs`, `copies`."""

    boots: bool = True
    plugs: bool = True
    copies: bool = True
    launches: list[Launch] = field(default_factory=list)
    powers: dict[str, Power] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    plugged: dict[str, str] = field(default_factory=dict)

    def start(self, launch: Launch) -> str:
        self.launches.append(launch)
        self.powers[launch.instance_id] = Power.STARTING
        # All of 127.0.0.0/8 is this computer, so a test can speak as a machine.
        return f"127.0.77.{len(self.launches)}"

    def start_again(self, instance_id: str) -> None:
        self.powers[instance_id] = Power.STARTING

    def press_power_button(self, instance_id: str) -> None:
        self.powers[instance_id] = Power.OFF

    def kill(self, instance_id: str) -> None:
        self.powers[instance_id] = Power.OFF
        self.plugged = {v: i for v, i in self.plugged.items() if i != instance_id}

    def forget(self, instance_id: str) -> None:
        del self.powers[instance_id]

    def power(self, instance_id: str) -> Power:
        if self.boots and self.powers[instance_id] == Power.STARTING:
            self.powers[instance_id] = Power.ON
        return self.powers[instance_id]

    def console(self, instance_id: str) -> bytes:
        return f"console of {instance_id}\n".encode()

    def create_volume(self, volume_id: str, size_gib: int, snapshot_id: str | None) -> None:
        self.sizes[volume_id] = size_gib

    def delete_volume(self, volume_id: str) -> None:
        del self.sizes[volume_id]

    def grow(self, volume_id: str, size_gib: int) -> None:
        self.sizes[volume_id] = size_gib

    def attach(self, volume_id: str, instance_id: str) -> None:
        self.plugged[volume_id] = instance_id

    def detach(self, volume_id: str, instance_id: str) -> None:
        del self.plugged[volume_id]

    def is_attached(self, volume_id: str) -> bool:
        return self.plugs and volume_id in self.plugged

    def copy_disk(self, instance_id: str, image_id: str, *, reboot: bool) -> None:
        pass

    def snapshot(self, volume_id: str, snapshot_id: str) -> None:
        pass

    def is_copied(self, copy_id: str) -> bool:
        return self.copies

    def close(self) -> None:
        pass
