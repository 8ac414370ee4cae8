/**
 * A short-lived helper process: is handed a bound socket and hands it back, as often as it was asked to.
 *
 * Node cannot duplicate a descriptor, but one that travels to another process and back arrives as a duplicate. Each
 * shard needs one of its own to listen on, so that the death of one shard closes nobody else's.
 */
import type net from 'node:net'

export interface DuplicateRequest {
  readonly copies: number
}

process.once('message', ({ copies }: DuplicateRequest, handle: unknown) => {
  for (let copy = 0; copy < copies; copy++) process.send?.({ copy }, handle as net.Server, { keepOpen: true })
})

process.once('disconnect', () => {
  process.exit()
})
