//! Decisions about EC2, without EC2.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;

use dormouse::ec2::model::{Attachment, Instance, InstanceState, PURPOSE, Volume};
use dormouse::ec2::problem::{Kind, NO_CREDENTIALS, Problem};
use dormouse::ec2::wake::{Choice, choose};

fn instance(id: &str, state: InstanceState, launched: i64) -> Instance {
    let (image, tags) = ("ami-1".to_owned(), BTreeMap::new());
    Instance { id: id.to_owned(), state, address: None, launched, image, reason: None, tags }
}

fn volume(attached_to: Option<&str>) -> Volume {
    let attachment =
        |id: &str| Attachment { instance: id.to_owned(), attached: true, delete_on_termination: false };
    Volume {
        id: "vol-1".to_owned(),
        available: attached_to.is_none(),
        state: String::new(),
        size_gib: 500,
        kind: "sc1".to_owned(),
        zone: "us-west-2d".to_owned(),
        encrypted: true,
        attachment: attached_to.map(attachment),
        retired: false,
        created: 0,
    }
}

fn taken(choice: Choice) -> (String, Vec<String>) {
    match choice {
        Choice::Take(instance, others) => (instance.id, others),
        Choice::Launch => panic!("nothing was taken"),
    }
}

#[test]
fn an_instance_is_launched_only_when_none_lives() {
    use InstanceState::{Pending, Running, ShuttingDown, Stopped, Stopping, Terminated};
    assert_eq!(choose(&[], &volume(None)), Choice::Launch);
    for state in [ShuttingDown, Terminated, Stopping, Stopped] {
        assert_eq!(choose(&[instance("i-1", state, 1)], &volume(Some("i-1"))), Choice::Launch);
    }
    for state in [Pending, Running] {
        assert_eq!(taken(choose(&[instance("i-1", state, 1)], &volume(None))).0, "i-1");
    }
}

#[test]
fn everyone_who_looks_takes_the_same_of_two_instances() {
    let (first, second) =
        (instance("i-b", InstanceState::Running, 1), instance("i-a", InstanceState::Pending, 2));
    for instances in [[first.clone(), second.clone()], [second, first]] {
        assert_eq!(taken(choose(&instances, &volume(None))), ("i-b".to_owned(), vec!["i-a".to_owned()]));
        assert_eq!(
            taken(choose(&instances, &volume(Some("i-a")))),
            ("i-a".to_owned(), vec!["i-b".to_owned()])
        );
    }
}

#[test]
fn an_instance_that_bakes_is_never_taken_for_the_archiver() {
    let mut bakes = instance("i-1", InstanceState::Running, 1);
    bakes.tags.insert(PURPOSE.to_owned(), "bake".to_owned());
    assert_eq!(choose(&[bakes], &volume(None)), Choice::Launch);
}

#[test]
fn every_refusal_says_what_to_do() {
    let problem = |code: &str| Problem {
        action: "RunInstances",
        code: Some(code.to_owned()),
        message: "EC2's words".to_owned(),
    };
    let cases = [
        ("UnauthorizedOperation", Kind::Unauthorized, "allow ec2:RunInstances"),
        ("InsufficientInstanceCapacity", Kind::NoCapacity, "`instance_type`"),
        ("RequestLimitExceeded", Kind::Throttled, "in a minute"),
        ("VolumeInUse", Kind::InUse, "in a minute"),
        ("InvalidVolume.ZoneMismatch", Kind::ZoneMismatch, "`availability_zone`"),
        ("InvalidAMIID.NotFound", Kind::NotFound, "`dormouse up`"),
        ("InvalidGroup.Duplicate", Kind::Duplicate, "run it again"),
        ("VcpuLimitExceeded", Kind::Quota, "quota"),
        ("ExpiredToken", Kind::Credentials, "credentials"),
        (NO_CREDENTIALS, Kind::Credentials, "credentials"),
        ("InvalidAMIID.Unavailable", Kind::NotFound, "`dormouse up`"),
        ("SomethingNew", Kind::Other, "run it again"),
    ];
    for (code, kind, help) in cases {
        assert_eq!(problem(code).kind(), kind, "{code}");
        assert!(problem(code).help().contains(help), "{code}: {}", problem(code).help());
    }
    let refused = problem("UnauthorizedOperation").to_string();
    assert_eq!(refused, "EC2 RunInstances failed: EC2's words (UnauthorizedOperation)");
    let silent = Problem { code: None, ..problem("") };
    assert_eq!(silent.kind(), Kind::NoAnswer);
}
