/** Of the machine, for a reader of figures. */
import { isBusy, type MachineFacts } from '../harness/machine.js'

/** What figures were measured on, in one line. */
export function machineLine({ node, platform, kernel, cpu, cpus, memoryBytes, loadAverage }: MachineFacts): string {
  const memory = `${String(Math.round(memoryBytes / 2 ** 30))} GiB`
  return `Node ${node}, ${platform}, kernel ${kernel}, ${String(cpus)} of ${cpu}, ${memory}, load ${loadAverage.toFixed(1)}`
}

/** Undefined: it has CPUs to spare. */
export function busyLine(facts: MachineFacts): string | undefined {
  if (!isBusy(facts)) return undefined
  return 'This machine is BUSY with other work: times and rates are those of waiting for a CPU. CPU a message changes less.'
}
