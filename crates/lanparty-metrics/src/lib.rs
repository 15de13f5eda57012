//! Metrics, health and readiness of a program, at an address of the operator's choice.
