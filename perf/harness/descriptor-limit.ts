/** Whether a process may have the descriptors that a run needs. Our programs have the limit of the runner. */
import process from 'node:process'
import type { Transport } from './meeting-place.js'

/** Of a connection in each process: its socket's. No file of shared memory stays open. */
export const descriptorsEach: Readonly<Record<Transport, number>> = { unix: 1, pipe: 1, shm: 1 }

/**
 * What a program has besides the connections: its threads, listener, channels and standard streams, and what some
 * hundred connections need only while they begin.
 */
const BESIDES = 300

/** How many descriptors this process may have; Infinity where there is no limit, or the system does not tell. */
export function descriptorLimit(): number {
  // Node has raised the soft limit as far as it may.
  const { userLimits } = process.report.getReport() as { userLimits?: { open_files?: { soft: unknown } } }
  const soft = userLimits?.open_files?.soft
  return typeof soft === 'number' ? soft : Infinity
}

/** In one sentence, why so many connections cannot be had; undefined: they can. */
export function descriptorShortage(connections: number, each: number, limit: number): string | undefined {
  const needed = connections * each + BESIDES
  if (needed <= limit) return undefined
  const most = Math.max(0, Math.floor((limit - BESIDES) / each))
  return `${String(connections)} connections need ${String(needed)} descriptors in each process, which may have ${String(limit)}: raise the limit (ulimit -n), or give --connections ${String(most)} or less`
}
