#!/bin/sh
# A planner's task: place Qwen3-235B and a model from a config.json on 64 H200, TTFT 2 s, TPOT 30 ms, 60 % of prompts cached. Run in an empty
# folder; eight commands.
set -eu

# Eight servers of eight H200 over InfiniBand.
cat > h200-64.toml <<'MACHINE'
schema = 1
extends = "hgx-h100-ib-64"

[supernode]
name = "HGX H200 x 8 over 400G InfiniBand"
origin = { confidence = "assumed" }
chip = "h200"
MACHINE
supernode check h200-64.toml

# The first lines answer: requests/s, tokens/s of one user, dollars and joules for a token.
supernode simulate h200-64.toml --model qwen3-235b-a22b --precision fp8-block/fp8 --input 4000 --output 800 --hit 60% --ttft 2s --tpot 30ms --engine vllm
# The same in time: the highest rate that keeps both limits for nine requests in ten.
supernode capacity h200-64.toml --model qwen3-235b-a22b --precision fp8-block/fp8 --input 4000 --output 800 --hit 60% --ttft 2s --tpot 30ms --engine vllm --requests 200 --arrivals poisson

# A model as the hub gives it out.
cat > config.json <<'MODEL'
{
  "model_type": "qwen3", "architectures": ["Qwen3ForCausalLM"], "torch_dtype": "bfloat16",
  "hidden_size": 5120, "intermediate_size": 25600, "num_hidden_layers": 64, "num_attention_heads": 64, "num_key_value_heads": 8,
  "head_dim": 128, "vocab_size": 151936, "tie_word_embeddings": false, "max_position_embeddings": 40960, "hidden_act": "silu"
}
MODEL
supernode model config.json
supernode simulate h200-64.toml --model config.json --input 4000 --output 800 --hit 60% --ttft 2s --tpot 30ms --engine vllm

# As a file, to keep and to hand on.
supernode simulate h200-64.toml --model config.json --input 4000 --output 800 --hit 60% --ttft 2s --tpot 30ms --engine vllm --print-workload > workload.toml
supernode check workload.toml
# How many such clusters a demand takes, bought and rented.
supernode plan h200-64.toml --workload ./workload.toml --target doubao-2026-04
