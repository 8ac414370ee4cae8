/**
 * The reference by which Piscina keeps the process alive while a worker has a task. No documented call drops it:
 * Piscina's own record of a worker does, which lies behind a symbol of the one that `workerCreate` gives. So
 * package.json names one exact version of Piscina, and piscina-worker.test.ts says what must be there.
 */
export interface WorkerReference {
  ref(): unknown
  unref(): unknown
}

const RECORD = 'Piscina.kWorkerData'

/** Undefined: this version keeps the record elsewhere. */
export function referenceOf(worker: object): WorkerReference | undefined {
  const symbol = Object.getOwnPropertySymbols(worker).find(({ description }) => description === RECORD)
  const record = symbol === undefined ? undefined : (worker as Record<symbol, Partial<WorkerReference> | null>)[symbol]
  return isReference(record) ? record : undefined
}

function isReference(record: Partial<WorkerReference> | null | undefined): record is WorkerReference {
  return typeof record?.ref === 'function' && typeof record.unref === 'function'
}
