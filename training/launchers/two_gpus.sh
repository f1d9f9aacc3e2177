#!/bin/bash
# The runs of a table, one after the other, each on the two GPUs of this machine (batch 8: 4 crops on each).
#   training/launchers/two_gpus.sh table6 --data splits/1.json --data splits/2.json --data splits/3.json
# Finished runs are skipped and interrupted ones go on, so it may be given again at any time.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
python "$here/run_table.py" "$@" --commands > commands.txt
while IFS= read -r line; do
    eval "words=($line)"
    # A resumed run has its devices in its own configuration.
    if [[ ${words[0]} != --resume ]]; then
        words+=(--set hardware.device=cuda --set hardware.devices=2)
    fi
    torchrun --standalone --nproc-per-node=2 -m napari_rdl.training "${words[@]}" < /dev/null
done < commands.txt
# Scores what is trained, on one GPU, and writes the table.
python "$here/run_table.py" "$@"
