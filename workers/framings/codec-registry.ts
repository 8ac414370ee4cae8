/** Every framing that a shard translates. A kind that is missing does not compile. */
import type { FramingKind, FramingSpec } from '../../engine/protocol/framing.js'
import type { Codec } from './codec.js'
import { contentLengthCodec } from './content-length.js'
import { lineCodec, nulCodec } from './delimited.js'
import { lengthBeCodec } from './length-be.js'
import { rawCodec } from './raw.js'

/** Undefined: the wire has the format of the rings, and nothing is translated. */
const registry: Readonly<Record<FramingKind, ((spec: FramingSpec) => Codec) | undefined>> = {
  length: undefined,
  'length-be': lengthBeCodec,
  line: lineCodec,
  nul: nulCodec,
  'content-length': contentLengthCodec,
  raw: rawCodec,
}

export function codecFor(spec: FramingSpec): Codec | undefined {
  return registry[spec.kind]?.(spec)
}
