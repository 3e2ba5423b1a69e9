//! `init`: a spec to start from, unless there is one, and the seed of its keys.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use clap::Args;
use dormouse_generator::problem::Problems;
use dormouse_generator::secret::Seed;
use dormouse_generator::spec::Spec;
use rand::TryRng;
use rand::rngs::SysRng;
use zeroize::Zeroizing;

use crate::cli::exposure::refuse_exposed;
use crate::cli::failure::Failure;
use crate::cli::{Inputs, say, seed_file, spec_file};

#[derive(Args)]
pub(in crate::cli) struct Arguments {
    /// Name of the system.
    #[arg(long, default_value = "home")]
    name: String,
    /// Name of the first host.
    #[arg(long, default_value = "desktop")]
    host: String,
    /// Name of the first archiver.
    #[arg(long, default_value = "archiver")]
    archiver: String,
    /// Address of an archiver that exists, such as a NAS; else the archiver is made on EC2.
    #[arg(long = "static", value_name = "ADDRESS")]
    address: Option<String>,
    /// AWS region of an archiver on EC2.
    #[arg(long, default_value = "us-west-2", conflicts_with = "address")]
    region: String,
    /// Pool of the archiver.
    #[arg(long, default_value = "archive")]
    pool: String,
    /// Dataset of the host that is replicated, with everything below it.
    #[arg(long, default_value = "rpool/safe")]
    source: String,
}

impl Arguments {
    pub(in crate::cli) fn run(self, inputs: &Inputs) -> Result<(), Failure> {
        if exists(&inputs.spec) { seed_only(inputs) } else { self.spec_and_seed(inputs) }
    }

    fn spec_and_seed(&self, inputs: &Inputs) -> Result<(), Failure> {
        let text = self.spec_text();
        Spec::parse("the starting spec", text.as_bytes())
            .map_err(|problems: Problems| Failure::Spec(problems.into()))?;
        // The seed first: a spec without one would look complete.
        let seed = make_seed(inputs, &self.name)?;
        write_new(&inputs.spec, &text)?;
        let spec = inputs.spec.display();
        say(&format!("created {spec}\n{seed}now edit the spec, then run dormouse-generate\n"));
        Ok(())
    }

    /// The dataset of the archiver below which all copies lie.
    fn kept(&self) -> String {
        match &self.address {
            Some(_) => format!("{}/dormouse", self.pool),
            None => self.pool.clone(),
        }
    }

    /// The starting spec, in the order and layout that a person would choose.
    fn spec_text(&self) -> String {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let (name, host, archiver) = (quoted(&self.name), quoted(&self.host), quoted(&self.archiver));
        let (pool, source) = (quoted(&self.pool), quoted(&self.source));
        let provider = match &self.address {
            Some(address) => {
                let dataset = quoted(&self.kept());
                format!(
                    r#""provider": {{ "type": "static", "address": {}, "dataset": {dataset} }},"#,
                    quoted(address)
                )
            }
            None => format!(
                r#""provider": {{
        "type": "ec2",
        "region": {},
        "availability_zone": {},
        "image": {{ "nixos": "26.05" }}
      }},
      "volume": {{ "type": "sc1", "size_gib": 500 }},"#,
                quoted(&self.region),
                quoted(&format!("{}a", self.region))
            ),
        };
        let leaf = self.source.rsplit('/').next().unwrap_or(&self.source);
        let target = quoted(&format!("{}/{}/{leaf}", self.kept(), self.host));
        format!(
            r#"{{
  "version": 1,
  "name": {name},
  "archivers": {{
    {archiver}: {{
      {provider}
      "pool": {{ "name": {pool} }}
    }}
  }},
  "hosts": {{
    {host}: {{
      "replications": {{
        "safe": {{
          "archiver": {archiver},
          "source": {source},
          "target": {target}
        }}
      }}
    }}
  }}
}}
"#
        )
    }
}

/// The seed of a spec that is there already, from a template or from another computer.
fn seed_only(inputs: &Inputs) -> Result<(), Failure> {
    let parsed = spec_file::read(&inputs.spec)?;
    let seed = make_seed(inputs, &parsed.spec.name)?;
    say(&format!("{} stays as it is\n{seed}now run dormouse-generate\n", inputs.spec.display()));
    Ok(())
}

/// Makes the seed and says so.
fn make_seed(inputs: &Inputs, spec_name: &str) -> Result<String, Failure> {
    let path = inputs.seed(spec_name)?;
    if exists(&path) {
        let text = format!("the seed {} exists, and init replaces nothing", path.display());
        return Err(Failure::refused(text, "use it as it is, or name another one with --seed"));
    }
    refuse_exposed(&path, &inputs.spec, "the seed", "--seed", &[])?;
    seed_file::create(&path, &random_seed()?)?;
    Ok(format!("created {}: back it up, all keys derive from it\n", path.display()))
}

fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

fn random_seed() -> Result<Seed, Failure> {
    let mut bytes = Zeroizing::new([0; Seed::BYTES]);
    SysRng.try_fill_bytes(bytes.as_mut()).map_err(|error| {
        Failure::failed(format!("the system gives no random bytes: {error}"), "run it again")
    })?;
    Ok(Seed::new(*bytes))
}

fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .map_err(|error| Failure::io("make the spec", path, &error))
}
