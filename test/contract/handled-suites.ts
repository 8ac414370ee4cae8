/** The suites whose accepting side is a handler module, by name: the shard finds there what main declares. */
import process from 'node:process'
import type { FramingKind } from '../../engine/protocol/framing.js'
import { consumerTests } from './consumers.js'
import type { ContractTransport } from './contract.js'
import { endingTests } from './ending.js'
import { fairnessTests } from './fairness.js'
import { flowTests } from './flow.js'
import { frameTests } from './frame-integrity.js'
import { framingParts, type Part } from './parts.js'
import { sendingTests } from './send-rules.js'
import { abstract, local, pipe, unix } from './transports.js'

export interface HandledSuite {
  readonly transport: ContractTransport
  readonly parts: readonly Part[]
  /** Which changes the frames of the tests into those that it can carry. */
  readonly framing?: FramingKind
}

/** All of connections. What concerns listeners and engines is in handled-listening.ts: those are on main. */
const connectionParts = [frameTests, consumerTests, sendingTests, endingTests, flowTests, fairnessTests]

/** At another form of address, which is only another way to connect. */
const addressParts = [endingTests]

const isWindows = process.platform === 'win32'

function framed(framing: FramingKind): HandledSuite {
  const transport = { ...(isWindows ? pipe : unix), options: { framing } }
  return { transport, parts: framingParts, framing }
}

export const handledSuites = {
  unix: { transport: unix, parts: connectionParts },
  pipe: { transport: pipe, parts: connectionParts },
  abstract: { transport: abstract, parts: addressParts },
  local: { transport: local, parts: addressParts },
  'length-be': framed('length-be'),
  line: framed('line'),
  nul: framed('nul'),
  'content-length': framed('content-length'),
} satisfies Readonly<Record<string, HandledSuite>>

export type HandledSuiteName = keyof typeof handledSuites
