/** The parts of the contract, and which of them a transport runs that differs from another in one respect. */
import { byLength } from '../helpers/length.js'
import { batchTests } from './batches.js'
import { connectingTests } from './connecting.js'
import { consumerTests } from './consumers.js'
import type { Contract } from './contract.js'
import { endingTests } from './ending.js'
import { engineEndTests } from './engine-end.js'
import { fairnessTests } from './fairness.js'
import { flowTests } from './flow.js'
import { frameTests } from './frame-integrity.js'
import { limitTests } from './limits.js'
import { sendingTests } from './send-rules.js'

export type Part = (contract: Contract) => void

export const everyPart: readonly Part[] = [
  connectingTests,
  limitTests,
  frameTests,
  consumerTests,
  batchTests,
  sendingTests,
  endingTests,
  flowTests,
  fairnessTests,
  engineEndTests,
]

/** For another form of address: connections by it are those of a socket or a pipe, which have suites of their own. */
export const addressParts: readonly Part[] = byLength({
  short: [connectingTests],
  long: [connectingTests, limitTests, endingTests, engineEndTests],
})

/** For connections to which only shards write; on the same transport main writes small frames itself. */
export const shardWritesParts: readonly Part[] = byLength({ short: [endingTests], long: everyPart })

/** For a framing that a shard translates. */
export const framingParts: readonly Part[] = [frameTests, endingTests, flowTests]

/** For one that differs from `line` in the byte that ends a frame. */
export const delimiterParts: readonly Part[] = [frameTests]

/** For that framing on a second transport. */
export const otherFramingParts: readonly Part[] = byLength({ short: [frameTests], long: framingParts })

/**
 * For a child, where each pair costs a process. Its frames, readers, senders and flow are those of
 * test/stdio/echo.test.ts too, and its end that of a child with an engine.
 */
export const childParts: readonly Part[] = byLength({
  short: [connectingTests, limitTests, engineEndTests],
  long: everyPart,
})

/** For a child with an engine of its own: the other tests do not concern the far end, and use a simpler one. */
export const farEndParts: readonly Part[] = byLength({
  short: [endingTests],
  long: [frameTests, endingTests, flowTests],
})

/** For frames that go over the socket after a handshake: they are those of `unix:`, and only how they begin differs. */
export const fallbackParts: readonly Part[] = byLength({
  short: [limitTests],
  long: [connectingTests, limitTests, frameTests, endingTests, engineEndTests],
})

/** For shared memory at another form of address: what carries the frames is the same. */
export const sharedUnixParts: readonly Part[] = byLength({
  short: [fairnessTests],
  long: [connectingTests, endingTests, fairnessTests],
})

/** For segments that are reached by a path: once both ends have it, they are as others. */
export const pathParts: readonly Part[] = byLength({
  short: [frameTests],
  long: [connectingTests, frameTests, endingTests, engineEndTests],
})
