//! The party page: a web server for the host's browser, and the page itself.
