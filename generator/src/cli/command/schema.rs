//! `schema`: the spec's types as a JSON Schema, for editors.

use dormouse_generator::spec::Spec;

use crate::cli::failure::Failure;
use crate::cli::say;

pub(super) fn run() -> Result<(), Failure> {
    let mut schema = schemars::schema_for!(Spec).to_value();
    // Editors look there for the schema's place.
    schema["properties"]["$schema"] = serde_json::json!({ "type": "string" });
    let text = serde_json::to_string_pretty(&schema)
        .map_err(|error| Failure::failed(format!("cannot write the schema: {error}"), "report this"))?;
    say(&format!("{text}\n"));
    Ok(())
}
