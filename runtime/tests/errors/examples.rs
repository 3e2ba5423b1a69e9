//! One of each error, with names that a reader takes for examples.

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use dormouse::drill::trouble::Trouble as DrillTrouble;
use dormouse::ec2::failure::Failure;
use dormouse::ec2::problem::Problem;
use dormouse::error::{Error, Exit};
use dormouse::exec;
use dormouse::exec::printed::Bound;
use dormouse::report::sink::Trouble;
use dormouse::restore::refusal::Refusal as RestoreRefusal;
use dormouse::zfs::Guid;
use dormouse::zfs::begin::Foreign;
use dormouse::zfs::plan::Refusal;
use dormouse_generator::name::DatasetName;

use super::{Told, told};

/// The operating system's word for this number (errno(3)).
fn os(number: i32) -> std::io::Error {
    std::io::Error::from_raw_os_error(number)
}

fn no_such_file() -> std::io::Error {
    os(2)
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn s(text: &str) -> String {
    text.to_owned()
}

fn problem() -> Problem {
    let message = s("You are not authorized to perform this operation");
    Problem { action: "RunInstances", code: Some(s("UnauthorizedOperation")), message }
}

pub fn errors() -> Vec<Told> {
    let (archiver, address, detail) = (s("nas"), s("nas.lan:22"), s("Connection refused"));
    let path = || PathBuf::from("/home/me/dormouse.json");
    let all = vec![
        Error::Spec(s("dormouse.json: archivers.nas: this field is required")),
        Error::NoSpec { path: path(), source: no_such_file() },
        Error::UnknownHost { host: s("laptop"), known: strings(&["desktop"]), spec: path() },
        Error::UnknownReplication { name: s("unsafe"), host: s("desktop"), known: strings(&["safe"]) },
        Error::UnknownArchiver { name: s("nsa"), known: strings(&["nas"]) },
        Error::AlwaysOn { archiver: archiver.clone() },
        Error::NoProxy { archiver: archiver.clone() },
        Error::NoTarget {
            dataset: s("rpool/safe/deep"),
            reason: s("it is 261 bytes long, and ZFS takes 255"),
        },
        Error::NoRetention { archiver: "archiver".to_owned() },
        Error::OlderConfiguration { archiver: "archiver".to_owned() },
        Error::NotPruned {
            archiver: "archiver".to_owned(),
            detail: "cannot destroy snapshot archive/desktop/safe@zfs-auto-snap_hourly-1: dataset is busy"
                .to_owned(),
        },
        Error::MissingFile {
            what: "the private key",
            path: "/root/secrets/hosts/desktop/id_ed25519".into(),
            source: no_such_file(),
        },
        Error::Locked { name: s("safe"), holder: s("pid 4711") },
        Error::Folder { path: "/run/dormouse".into(), source: os(13) },
        Error::NotOurs {
            path: "/tmp/dormouse-1000".into(),
            reason: s("it belongs to user 1001, and this is user 1000"),
        },
        Error::NoState,
        Error::Unreachable { archiver: archiver.clone(), address: address.clone(), detail },
        Error::HostKey {
            archiver: archiver.clone(),
            address,
            known_hosts: "generated/known_hosts".into(),
            detail: s("Host key verification failed."),
        },
        Error::Identity {
            archiver: archiver.clone(),
            user: s("backup"),
            identity: "secrets/hosts/desktop/id_ed25519".into(),
            detail: s("Permission denied (publickey)."),
        },
        Error::NoPool { archiver, pool: s("tank"), detail: s("cannot open 'tank': no such pool") },
        Error::Pool { archiver: s("nas"), detail: s("2 data errors, use '-v' for a list") },
        Error::NoSource { dataset: s("rpool/safe") },
        Error::SourceStays { dataset: s("rpool/safe") },
        Error::Chatter {
            archiver: s("nas"),
            user: s("backup"),
            detail: s(r#"zfs list printed a line that cannot be read (1 columns): "Welcome!""#),
        },
        Error::Listing {
            dataset: s("rpool/safe"),
            place: s("on this host"),
            detail: s("`zfs list …` failed (exit code 1)"),
        },
        Error::Partial {
            archiver: s("nas"),
            dataset: s("tank/desktop/safe"),
            detail: s("cannot destroy 'tank/desktop/safe/%recv': permission denied"),
        },
        Error::Ec2(Failure::NoVolume { archiver: s("archiver") }),
        Error::Restore(RestoreRefusal::Exists { dataset: DatasetName::new("rpool/safe").unwrap() }),
        Error::Drill(DrillTrouble::NotRoot),
        Error::ServiceState { path: "/var/lib/dormouse/service".into(), source: os(13) },
        Error::NoAlarm,
        Error::Alarm {
            service: "honeycomb",
            source: Trouble::Refused { status: 401, detail: s("unknown API key") },
        },
        Error::Program(programs().remove(0)),
        Error::Argument(s("\"tank/a\\0b\"")),
        Error::System(os(28)),
        Error::Interrupted("SIGTERM"),
    ];
    all.iter().map(|error| told(error, error.help(), Some(error.exit()))).collect()
}

pub fn failures() -> Vec<Told> {
    let (archiver, instance, region) = (|| s("archiver"), || s("i-0abc"), || s("us-west-2"));
    let volume = || s("vol-0abc");
    let all = vec![
        Failure::Call(problem()),
        Failure::LaunchUnanswered {
            archiver: archiver(),
            problem: Problem { action: "RunInstances", code: None, message: s("connection reset") },
        },
        Failure::NoVolume { archiver: archiver() },
        Failure::NoImage {
            archiver: archiver(),
            what: s("of its configuration (0123456789abcdef)"),
            help: s("bake it: `dormouse up archiver`"),
        },
        Failure::NoTemplate { archiver: archiver() },
        Failure::NotAllowed { archiver: archiver(), actions: vec!["CreateLaunchTemplate", "CreateVolume"] },
        Failure::NoSubnet { archiver: archiver(), zone: s("us-west-2d") },
        Failure::NoGroup { archiver: archiver() },
        Failure::NoAddress { archiver: archiver(), instance: instance() },
        Failure::VolumeElsewhere { archiver: archiver(), volume: volume(), instance: instance() },
        Failure::VolumeZone { volume: volume(), zone: s("us-west-2a"), wanted: s("us-west-2d") },
        Failure::VolumeWouldGo { volume: volume(), instance: instance() },
        Failure::NoCaller { url: s("https://checkip.amazonaws.com/"), detail: s("timeout") },
        Failure::VolumeShrinks { archiver: archiver(), volume: volume(), size: 500, wanted: 200 },
        Failure::InUse { archiver: archiver(), sessions: 1 },
        Failure::NotCopied {
            dataset: s("archive-old/desktop"),
            reason: s("it has data that is in no snapshot"),
        },
        Failure::NotGrown { volume: volume(), reason: s("a modification is under way") },
        Failure::NotSetUp { archiver: archiver(), pool: s("archive"), seconds: 120 },
        Failure::NotBlank { volume: volume(), pool: s("archive"), detail: s("no such pool available") },
        Failure::NotRebuilt { archiver: archiver(), log: s("error: attribute 'foo' missing") },
        Failure::NoBake { image: s("ami-0abc"), reason: s("the snapshot failed") },
        Failure::LeftOver { archiver: archiver(), ids: strings(&["i-0abc", "sg-0abc"]) },
        Failure::Stuck { what: volume(), state: "is not attached", seconds: 600 },
        Failure::Ended { instance: instance(), reason: s("Client.InstanceInitiatedShutdown") },
        Failure::NotAsked {
            archiver: archiver(),
            instance: instance(),
            region: region(),
            detail: s("it cannot be reached"),
        },
        Failure::MayStillRun { instance: instance(), region: region(), detail: problem().to_string() },
    ];
    all.iter().map(|error| told(error, error.help(), Some(error.exit()))).collect()
}

/// Refusals of EC2, by their kind.
pub fn problems() -> Vec<Told> {
    let codes = [
        "UnauthorizedOperation",
        "AuthFailure",
        "InsufficientInstanceCapacity",
        "RequestLimitExceeded",
        "InvalidVolume.NotFound",
        "VolumeInUse",
        "IncorrectState",
        "InvalidVolume.ZoneMismatch",
        "InvalidGroup.Duplicate",
        "IdempotentParameterMismatch",
        "IdempotentInstanceTerminated",
        "VcpuLimitExceeded",
        "",
        "InternalError",
    ];
    let tell = |code: &str| {
        let code = (!code.is_empty()).then(|| s(code));
        let problem = Problem { action: "RunInstances", code, message: s("EC2's own words") };
        Told { variant: format!("{:?}", problem.kind()), ..told(&problem, problem.help(), None) }
    };
    codes.into_iter().map(tell).collect()
}

pub fn programs() -> Vec<exec::Error> {
    let command = || s("zfs send -L -c -e rpool/safe@monday");
    vec![
        exec::Error::Start { program: s("zfs"), source: no_such_file() },
        exec::Error::Failed {
            command: command(),
            status: ExitStatus::from_raw(256),
            stderr: s("cannot open 'rpool/safe@monday': dataset does not exist"),
        },
        exec::Error::Deadline { command: command(), after: Duration::from_secs(600) },
        exec::Error::TooMuch { command: s("ssh -- nas.lan 'zfs list -H -p vault/safe'"), bound: Bound::Line },
        exec::Error::Output { command: command(), source: os(32) },
    ]
}

pub fn refusals() -> Vec<Told> {
    let all = [
        Refusal::TargetOccupied,
        Refusal::Renamed { from: DatasetName::new("vault/home/old").unwrap() },
        Refusal::NoCommonSnapshot { here: strings(&["monday", "tuesday"]), there: strings(&["january"]) },
        Refusal::PlainCopy,
        Refusal::NameTooLong { name: s("before-the-great-upgrade"), bytes: 262 },
        Refusal::NameTaken { name: s("monday"), here: Guid(1), there: Guid(2) },
    ];
    let help = "nothing was changed, both sides are intact; the message ends with what to type";
    all.iter().map(|refusal| told(refusal, help, Some(Exit::Conflict))).collect()
}

pub fn restore_refusals() -> Vec<Told> {
    let name = |text| DatasetName::new(text).unwrap();
    let (archiver, dataset) = (|| s("nas"), || name("rpool/safe"));
    let all = [
        RestoreRefusal::NotReplicated { dataset: name("rpool/home"), sources: strings(&["rpool/safe"]) },
        RestoreRefusal::Ambiguous { dataset: dataset(), names: strings(&["near", "far"]) },
        RestoreRefusal::TwoChoices { snapshot: s("monday") },
        RestoreRefusal::NoCopy { archiver: archiver(), dataset: dataset(), copy: name("tank/desktop/safe") },
        RestoreRefusal::NoSnapshot {
            archiver: archiver(),
            dataset: dataset(),
            wanted: s("snapshot @monday"),
        },
        RestoreRefusal::Exists { dataset: dataset() },
        RestoreRefusal::NoParent { dataset: name("rpool/old/safe"), parent: name("rpool/old") },
        RestoreRefusal::OtherUnderWay { dataset: dataset(), under_way: s("@monday"), wanted: s("tuesday") },
        RestoreRefusal::Snapshotted { dataset: dataset(), snapshots: strings(&["@hourly-12"]) },
        RestoreRefusal::Stale { dataset: dataset(), reason: s("zfs cannot read it: bad checksum") },
        RestoreRefusal::Foreign { dataset: dataset(), attempt: Foreign::Package },
        RestoreRefusal::Unencrypted { dataset: dataset(), archiver: archiver() },
        RestoreRefusal::Intruders {
            dataset: dataset(),
            found: strings(&["rpool/safe-x", "rpool/safe with mountpoint=/etc"]),
        },
        RestoreRefusal::NotBelow { path: s("/home/anna/letter.odt") },
        RestoreRefusal::IntoNotOurs {
            path: "/tmp/found".into(),
            reason: s("it belongs to user 1001, and this is user 0"),
        },
        RestoreRefusal::FileExists { path: "found/anna/letter.odt".into() },
        RestoreRefusal::NoSwap {
            dataset: name("rpool"),
            reason: "the root dataset of a pool cannot be renamed".to_owned(),
        },
        RestoreRefusal::NoSwapBelow { dataset: dataset(), below: vec![name("rpool/safe/home")] },
        RestoreRefusal::NoFiles { dataset: name("rpool/disk") },
        RestoreRefusal::NoKeyThere { archiver: archiver(), dataset: dataset() },
        RestoreRefusal::FilesMissing {
            archiver: archiver(),
            dataset: dataset(),
            detail: s("tar: anna/letter.odt: Cannot stat: No such file or directory"),
        },
    ];
    all.iter().map(|refusal| told(refusal, refusal.help(), Some(refusal.exit()))).collect()
}

pub fn drill_troubles() -> Vec<Told> {
    let name = |text| DatasetName::new(text).unwrap();
    let dataset = || name("rpool/safe");
    let all = [
        DrillTrouble::NotRoot,
        DrillTrouble::NoCandidate,
        DrillTrouble::NothingInCommon { dataset: dataset() },
        DrillTrouble::NoKey { dataset: dataset() },
        DrillTrouble::NotBack { dataset: dataset(), message: s("the archiver has no space left") },
        DrillTrouble::Left { scratch: name("rpool/dormouse-drill/0badcafe"), detail: s("dataset is busy") },
    ];
    all.iter().map(|trouble| told(trouble, trouble.help(), Some(trouble.exit()))).collect()
}

pub fn troubles() -> Vec<Told> {
    let all = [
        Trouble::Secret { path: "/run/secrets/honeycomb".into(), detail: s("it is empty") },
        Trouble::Refused { status: 401, detail: s("unknown API key") },
        Trouble::Redirected { status: 302 },
        Trouble::NoAnswer(s("Connection refused")),
        Trouble::Strange(s("it rejected 4 spans: too old")),
        Trouble::File {
            path: "/var/lib/node-exporter/dormouse_home_safe.prom".into(),
            source: no_such_file(),
        },
        Trouble::Program(programs().remove(0)),
    ];
    all.iter().map(|trouble| told(trouble, trouble.help(), None)).collect()
}
