#!/bin/bash
# A study on eight nodes: `sbatch study.sh`; submitted again, it goes on. The first node is the head.
# Follows the documents of Slurm and Ray. NOT RUN here: there was no such cluster.
#SBATCH --nodes=8 --ntasks-per-node=1 --cpus-per-task=32 --mem-per-cpu=1500M --time=24:00:00
export OMP_NUM_THREADS=1 RAY_USAGE_STATS_ENABLED=0
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN=$(openssl rand -hex 32)
export SECATEUR_CACHE=/shared/secateur-cache
nodes=($(scontrol show hostnames "$SLURM_JOB_NODELIST"))
head=$(srun -N1 -n1 -w "${nodes[0]}" hostname --ip-address | awk '{print $1}')
srun -N1 -n1 -w "${nodes[0]}" --overlap ray start --head --node-ip-address="$head" --port=6379 \
     --num-cpus="$SLURM_CPUS_PER_TASK" --include-dashboard=false --block &
sleep 20
for node in "${nodes[@]:1}"; do
    srun -N1 -n1 -w "$node" --overlap ray start --address="$head:6379" \
         --num-cpus="$SLURM_CPUS_PER_TASK" --block &
done
sleep 20
srun -N1 -n1 -w "${nodes[0]}" --overlap secateur study studies/ratios.toml --data /shared/chbmit \
     --out /shared/studies/ratios --backend ray --address "$head:6379"
