//! The pages for people: what they show, what they hide, who may press what, and how a browser finds them.

mod apps;
mod browser;
mod doors;
mod pages;
mod site;
