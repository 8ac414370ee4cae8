/** What depends on the framing, for framings that a shard translates. */
import type { FramingKind } from '../../engine/protocol/framing.js'
import { makeFramesCarriable } from '../helpers/frames.js'
import { carriable } from '../helpers/wire-bytes.js'
import type { ContractTransport } from './contract.js'
import { delimiterParts, framingParts, otherFramingParts } from './parts.js'
import { transportContract } from './transport-contract.js'
import { memory, unix } from './transports.js'

const transports = { unix, memory } as const

/** Where a framing runs all parts at each length: what it does to a connection's end depends on it, not on the kind. */
const home: Readonly<Partial<Record<FramingKind, ContractTransport['kind']>>> = {
  line: 'unix',
  'content-length': 'memory',
}

export function framedContract(kind: 'unix' | 'memory', framing: FramingKind): void {
  makeFramesCarriable((bytes) => carriable(framing, bytes))
  transportContract(
    { ...transports[kind], options: { framing } },
    home[framing] === kind ? framingParts : otherFramingParts,
  )
}

/** `line` framing whose frames end in another character. */
export function delimitedContract(delimiter: string): void {
  makeFramesCarriable((bytes) => carriable('line', bytes, delimiter.charCodeAt(0)))
  transportContract({ ...memory, options: { framing: 'line', delimiter } }, delimiterParts)
}
