//! The generated IAM policies allow the calls that the program makes, and no others.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

/// The actions of an example's policy.
fn actions(file: &str) -> BTreeSet<String> {
    let golden =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../generator/tests/golden/home/archivers/archiver");
    let policy: Value = serde_json::from_str(&fs::read_to_string(golden.join(file)).unwrap()).unwrap();
    let statements = policy["Statement"].as_array().unwrap().clone();
    let words = |value: Value| match value {
        Value::Array(all) => all.iter().map(|each| each.as_str().unwrap().to_owned()).collect(),
        one => vec![one.as_str().unwrap().to_owned()],
    };
    statements.iter().flat_map(|statement| words(statement["Action"].clone())).collect()
}

/// An action as the SDK names its call: `ec2:RunInstances` is `run_instances`.
fn call(action: &str) -> String {
    let name = action.strip_prefix("ec2:").unwrap();
    name.chars().fold(String::new(), |mut call, c| {
        if c.is_ascii_uppercase() && !call.is_empty() {
            call.push('_');
        }
        call.push(c.to_ascii_lowercase());
        call
    })
}

/// What the program calls; in the source, a call of the SDK's client stands at the end of its line or in a chain.
fn called() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ec2/api");
    fs::read_dir(folder).unwrap().map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap()).collect()
}

#[test]
fn policies_allow_what_is_called_and_nothing_else() {
    let (administrator, host) = (actions("iam-policy.json"), actions("iam-policy-host.json"));
    assert!(host.is_subset(&administrator), "{host:?}");
    let source = called();
    for action in &administrator {
        // Tags are set by the calls that create.
        assert!(action == "ec2:CreateTags" || source.contains(&format!(".{}()", call(action))), "{action}");
    }
    // What is called but left out on purpose: what destroys or marks a volume, and its last snapshot.
    let left_out = ["delete_volume", "create_snapshot", "create_tags"];
    let known: BTreeSet<String> = administrator.iter().map(|action| call(action)).collect();
    let calls = source.split('.').filter_map(|text| text.split_once("()")).map(|(call, _)| call);
    let is_call = |call: &&str| {
        let verbs = [
            "describe_",
            "run_",
            "terminate_",
            "attach_",
            "detach_",
            "create_",
            "delete_",
            "modify_",
            "authorize_",
            "revoke_",
            "deregister_",
            "get_",
        ];
        verbs.iter().any(|verb| call.starts_with(verb))
            && call.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
    };
    for call in calls.filter(is_call) {
        assert!(known.contains(call) || left_out.contains(&call), "{call} is not allowed");
    }
    assert!(
        !host.contains("ec2:DescribeInstanceAttribute")
            && !administrator.contains("ec2:DescribeInstanceAttribute")
    );
}
