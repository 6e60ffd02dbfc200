//! The shipped scenarios are part of the binary: one that comes or goes makes it anew.

fn main() {
    println!("cargo::rerun-if-changed=../scenarios");
}
