import type { MachineFacts } from '../harness/machine.js'

/** What figures were measured on, in one line. */
export function machineLine({ node, platform, kernel, cpu, cpus, memoryBytes, loadAverage }: MachineFacts): string {
  const memory = `${String(Math.round(memoryBytes / 2 ** 30))} GiB`
  return `Node ${node}, ${platform}, kernel ${kernel}, ${String(cpus)} of ${cpu}, ${memory}, load ${loadAverage.toFixed(1)}`
}
