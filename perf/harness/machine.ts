/** What the figures were measured on. */
import os from 'node:os'

export interface MachineFacts {
  readonly node: string
  readonly platform: string
  readonly kernel: string
  readonly cpu: string
  readonly cpus: number
  readonly memoryBytes: number
  readonly loadAverage: number
}

/** The measured programs keep two CPUs busy themselves, or one that they share. */
const OWN_LOAD = 2

/** Whether other work took CPUs from what was measured. */
export function isBusy({ cpus, loadAverage }: Pick<MachineFacts, 'cpus' | 'loadAverage'>): boolean {
  return loadAverage > cpus + OWN_LOAD / 2
}

export function machineFacts(): MachineFacts {
  return {
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    kernel: os.release(),
    cpu: os.cpus()[0]?.model ?? 'unknown',
    cpus: os.availableParallelism(),
    memoryBytes: os.totalmem(),
    loadAverage: os.loadavg()[0] ?? 0,
  }
}
