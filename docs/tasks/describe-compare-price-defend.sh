#!/bin/sh
# An architect's task: describe a 256-chip machine, compare it, price it and defend it. Run in an empty folder; eight commands.
set -eu

# Planes, leaves and spines follow from the ports of the parts.
supernode new "Our 256" --chip reference --chips 256 --switch tomahawk-6 --link sue-800g-copper --uplink sue-800g-optical --cpu x86-server --out ours.toml
# Could it be built? Nothing but notes may be left.
supernode check ours.toml --deny warnings
supernode describe ours.toml

# What a token costs on it, beside a machine that can be bought. The chip has no public price: we say ours.
supernode compare ours.toml gb200-nvl72 --model deepseek-r1 --input 4096 --output 1024 --price purchase=30kUSD --price electricity=0.06USD
# Is it the fabric? The same chips and software on both.
supernode compare ours.toml gb200-nvl72 --model deepseek-r1 --input 4096 --output 1024 --same-chips

# How sure is that, what would help, and what is left after a failure?
supernode uncertainty ours.toml gb200-nvl72 --model deepseek-r1 --input 4096 --output 1024 --draws 20
supernode sensitivity ours.toml --model deepseek-r1 --input 4096 --output 1024
supernode fail ours.toml --model deepseek-r1 --input 4096 --output 1024 --switches 1
