//! Names under which families keep what several files ask for.

/// Width of the residual stream.
pub(super) const HIDDEN_KEYS: [&str; 3] = ["hidden_size", "n_embd", "d_model"];

/// Number of layers.
pub(super) const LAYER_KEYS: [&str; 4] = ["num_hidden_layers", "n_layer", "num_layers", "n_layers"];

/// Routed experts.
pub(super) const EXPERT_KEYS: [&str; 4] = ["n_routed_experts", "num_experts", "num_local_experts", "moe_num_experts"];

/// Experts that a token is sent to.
pub(super) const TOP_KEYS: [&str; 9] = [
    "num_experts_per_tok",
    "experts_per_token",
    "num_experts_per_token",
    "top_k_experts",
    "moe_top_k",
    "moe_topk",
    "moe_k",
    "num_selected_experts",
    "num_experts_per_topk",
];
