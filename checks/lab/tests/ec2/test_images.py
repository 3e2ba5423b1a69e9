"""Public NixOS images, and images of one's own."""

from typing import Any

from checks.lab.ec2.fixtures import IMAGE, NIXOS, Account, refused


def listed(account: Account, pattern: str, **parameters: Any) -> list[dict[str, Any]]:
    filters = [
        {"Name": "name", "Values": [pattern]},
        {"Name": "architecture", "Values": ["x86_64"]},
        {"Name": "state", "Values": ["available"]},
    ]
    return list(account.api.describe_images(Filters=filters, **parameters)["Images"])


def available(account: Account, image: str) -> None:
    account.clock.advance(181)
    (described,) = account.api.describe_images(ImageIds=[image])["Images"]
    assert described["State"] == "available"


def test_the_newest_image_of_a_release_is_found_by_owner_name_architecture_and_date(account: Account) -> None:
    found = listed(account, "nixos/26.05*", Owners=[NIXOS])
    assert max(found, key=lambda image: image["CreationDate"])["ImageId"] == IMAGE


def test_careless_searches_find_other_images(account: Account) -> None:
    def newest(images: list[dict[str, Any]]) -> str:
        return str(max(images, key=lambda image: image["CreationDate"])["Name"])

    assert "9999" in newest(listed(account, "nixos/26.05*"))
    assert "25.11" in newest(listed(account, "nixos/*", Owners=[NIXOS]))
    by_name = max(image["Name"] for image in listed(account, "nixos/26.05*", Owners=[NIXOS]))
    assert "26.05.99" in by_name
    everything = account.api.describe_images(Owners=[NIXOS])["Images"]
    assert any(image["State"] == "pending" for image in everything)


def test_deprecated_images_are_hidden_but_can_be_launched(account: Account) -> None:
    assert not listed(account, "nixos/25.05*", Owners=[NIXOS])
    (old,) = listed(account, "nixos/25.05*", Owners=[NIXOS], IncludeDeprecated=True)
    assert account.api.describe_images(ImageIds=[old["ImageId"]])["Images"]
    account.run(ImageId=old["ImageId"])


def test_a_pending_image_cannot_be_launched(account: Account) -> None:
    instance = account.running()
    image = account.api.create_image(InstanceId=instance, Name="baked")["ImageId"]
    account.clock.advance(100)
    assert account.api.describe_images(ImageIds=[image])["Images"][0]["State"] == "pending"
    with refused("InvalidAMIID.Unavailable"):
        account.run(ImageId=image)
    available(account, image)
    account.run(ImageId=image)
    assert account.machines.launches[-1].image_id == image


def test_an_image_is_not_available_before_its_disk_is_copied(account: Account) -> None:
    instance = account.running()
    account.machines.copies = False
    image = account.api.create_image(InstanceId=instance, Name="baked")["ImageId"]
    account.clock.advance(600)
    assert account.api.describe_images(ImageIds=[image])["Images"][0]["State"] == "pending"
    account.machines.copies = True
    available(account, image)


def test_a_name_is_used_once_until_its_image_is_deregistered(account: Account) -> None:
    instance = account.running()
    image = account.api.create_image(InstanceId=instance, Name="baked")["ImageId"]
    with refused("InvalidAMIName.Duplicate", image):
        account.api.create_image(InstanceId=instance, Name="baked")
    available(account, image)
    account.api.deregister_image(ImageId=image)
    with refused("InvalidAMIID.Unavailable"):
        account.run(ImageId=image)
    account.api.create_image(InstanceId=instance, Name="baked")


def test_a_name_has_no_odd_characters(account: Account) -> None:
    instance = account.running()
    with refused("InvalidAMIName.Malformed"):
        account.api.create_image(InstanceId=instance, Name="dormouse:baked")


def test_an_image_and_its_ebs_snapshot_are_tagged_when_they_are_made(account: Account) -> None:
    instance = account.running()
    tags = [{"Key": "dormouse:base", "Value": "abc"}]
    spec = [{"ResourceType": kind, "Tags": tags} for kind in ("image", "snapshot")]
    image = account.api.create_image(InstanceId=instance, Name="baked", TagSpecifications=spec)["ImageId"]
    filters = [{"Name": "tag:dormouse:base", "Values": ["abc"]}]
    (found,) = account.api.describe_images(Owners=["self"], Filters=filters)["Images"]
    assert found["ImageId"] == image
    (snapshot,) = account.api.describe_snapshots(OwnerIds=["self"], Filters=filters)["Snapshots"]
    assert found["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"] == snapshot["SnapshotId"]


def test_an_image_takes_attached_volumes_along_unless_it_is_told_not_to(account: Account) -> None:
    instance, volume = account.running(), account.volume()
    account.attached(volume, instance)

    def devices(name: str, **parameters: Any) -> list[str]:
        image = account.api.create_image(InstanceId=instance, Name=name, **parameters)["ImageId"]
        (found,) = account.api.describe_images(ImageIds=[image])["Images"]
        return [mapping["DeviceName"] for mapping in found["BlockDeviceMappings"]]

    assert devices("with-data") == ["/dev/xvda", "/dev/sdf"]
    none = [{"DeviceName": "/dev/sdf", "NoDevice": ""}]
    assert devices("without-data", BlockDeviceMappings=none) == ["/dev/xvda"]


def test_a_terminated_instance_has_no_image(account: Account) -> None:
    instance = account.running()
    account.api.terminate_instances(InstanceIds=[instance])
    with refused("IncorrectInstanceState"):
        account.api.create_image(InstanceId=instance, Name="baked")


def test_the_ebs_snapshot_of_an_image_goes_after_the_image(account: Account) -> None:
    instance = account.running()
    image = account.api.create_image(InstanceId=instance, Name="baked")["ImageId"]
    (found,) = account.api.describe_images(ImageIds=[image])["Images"]
    snapshot = found["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    with refused("InvalidSnapshot.InUse"):
        account.api.delete_snapshot(SnapshotId=snapshot)
    account.api.deregister_image(ImageId=image)
    account.api.delete_snapshot(SnapshotId=snapshot)


def test_images_of_others_are_not_deregistered(account: Account) -> None:
    with refused("AuthFailure"):
        account.api.deregister_image(ImageId=IMAGE)
