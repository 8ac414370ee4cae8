/** Milliseconds of CLOCK_MONOTONIC, which is the same for every thread and process of the machine. */
import process from 'node:process'

export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}
