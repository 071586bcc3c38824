#!/bin/sh
# A CI engineer's task: a pull request may not break a file, a rule, or a promise. Run in an empty folder; six commands.
set -eu

supernode new "Rack" --chip h200 --chips 8 --switch nvswitch3 --link nvlink4-board --library nccl-nvlink4 --cpu x86-server --out rack.toml

# Every file is right and breaks no rule; problems as JSON, for annotations of the pull request.
supernode check rack.toml --deny warnings
supernode check rack.toml --deny warnings --format json > check.json

# The promise: 20 requests a second within both limits. Exit code 1 if it is missed.
supernode simulate rack.toml --model llama-3.1-8b --input 2000 --output 300 --ttft 2s --tpot 30ms --rate 20 --strict --format json > answer.json

# A broken promise and a broken file must be refused.
if supernode simulate rack.toml --model llama-3.1-8b --input 2000 --output 300 --ttft 2s --tpot 30ms --rate 20000 --strict > missed.txt; then exit 1; fi
sed 's/nvlink4-board/sue-200g-copper/' rack.toml > broken.toml
if supernode check broken.toml 2> broken.txt; then exit 1; fi
grep -q protocol-mismatch broken.txt
