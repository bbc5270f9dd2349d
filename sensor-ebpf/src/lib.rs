//! Empty: lets cargo track the package as a dependency. The program is `main.rs`.

#![no_std]
