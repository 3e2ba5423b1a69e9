//! Every run starts anew, and most have nothing to do: what the linker packs need not be read at each start.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // 70,000 addresses in tables of the EC2 client are filled in at each start.
    if std::env::var("CARGO_CFG_TARGET_ENV").as_deref() == Ok("gnu") {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}
