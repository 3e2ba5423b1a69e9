"""A volume grows by ModifyVolume: one change at a time, and not too often."""

from checks.lab.ec2.fixtures import Account, refused


def modification(account: Account, volume: str) -> dict[str, object]:
    found = account.api.describe_volumes_modifications(VolumeIds=[volume])
    (only,) = found["VolumesModifications"]
    return dict(only)


def test_a_modification_goes_through_its_states(account: Account) -> None:
    volume = account.volume()
    answer = account.api.modify_volume(VolumeId=volume, Size=600)["VolumeModification"]
    assert (answer["ModificationState"], answer["Progress"]) == ("modifying", 0)
    assert (answer["OriginalSize"], answer["TargetSize"]) == (500, 600)
    assert account.describe_volume(volume)["Size"] == account.machines.sizes[volume] == 500
    account.clock.advance(20)
    assert modification(account, volume)["ModificationState"] == "optimizing"
    assert account.describe_volume(volume)["Size"] == account.machines.sizes[volume] == 600
    account.clock.advance(1800)
    assert modification(account, volume)["Progress"] == 50
    account.clock.advance(1800)
    done = modification(account, volume)
    assert (done["ModificationState"], done["Progress"]) == ("completed", 100)
    assert "EndTime" in done


def test_a_volume_does_not_shrink(account: Account) -> None:
    volume = account.volume()
    with refused("InvalidParameterValue", "smaller"):
        account.api.modify_volume(VolumeId=volume, Size=499)


def test_a_volume_does_not_grow_beyond_its_type(account: Account) -> None:
    volume = account.volume()
    with refused("InvalidParameterValue", "maximum"):
        account.api.modify_volume(VolumeId=volume, Size=16385)


def test_a_second_modification_waits_for_the_first(account: Account) -> None:
    volume = account.volume()
    account.api.modify_volume(VolumeId=volume, Size=600)
    for _ in ("modifying", "optimizing"):
        with refused("IncorrectModificationState"):
            account.api.modify_volume(VolumeId=volume, Size=700)
        account.clock.advance(30)
    account.clock.advance(3600)
    account.api.modify_volume(VolumeId=volume, Size=700)


def test_there_are_four_modifications_within_a_day(account: Account) -> None:
    volume = account.volume()
    for size in (600, 700, 800, 900):
        account.api.modify_volume(VolumeId=volume, Size=size)
        account.clock.advance(4000)
    with refused("VolumeModificationRateExceeded"):
        account.api.modify_volume(VolumeId=volume, Size=1000)
    account.clock.advance(86400 - 4 * 4000)
    account.api.modify_volume(VolumeId=volume, Size=1000)


def test_a_volume_that_was_never_modified_has_no_modification(account: Account) -> None:
    volume = account.volume()
    with refused("InvalidVolumeModification.NotFound"):
        modification(account, volume)


def test_a_volume_grows_while_it_is_attached(account: Account) -> None:
    instance, volume = account.running(), account.volume()
    account.attached(volume, instance)
    account.api.modify_volume(VolumeId=volume, Size=600)
    account.clock.advance(30)
    assert account.describe_volume(volume)["Size"] == 600
