/**
 * The adaptive wake strategy: a connection waits for replies in the way that brings them sooner, awake or asleep.
 *
 * Which one that is depends on the machine, on what else runs there, and on the peer, and no figure tells it before:
 * with a free CPU, staying awake saves a wake-up; without one, it takes the CPU of the thread that is to answer. So
 * both are measured. After a long phase in one way, a few replies are awaited in the other, and the faster one goes
 * on. Late replies count in full, also those that come after main has given up: they are what staying awake can cost.
 *
 * Only the side that dialled stays awake: with both awake, each would take the CPU of the other's shard. See
 * docs/decisions/wake-policy.md for what was measured.
 */
import type { PendingReply, ReplyMemory } from '../connection/lane-host.js'
import type { WakeStrategy } from './wake-strategy.js'

/** A reply that takes longer gains little from a thread that is awake. */
const AWAKE_MS = 1
/** Replies of a trial. The first few are still those of the way before. */
const TRIAL_REPLIES = 32
const IGNORED_REPLIES = 2
/** Replies until the next trial, and at most: each trial that changes nothing doubles their number. */
const FIRST_PHASE = 1_024
const LONGEST_PHASE = 8_192
/** So much better it has to be awake, since that costs CPU. */
const MARGIN = 1.1
/** More misses in a phase than one in so many replies, and this many, call for a trial at once. */
const REPLIES_A_MISS = 32
const LEAST_MISSES = 8
/** A longer time says nothing about waking: the peer was busy with the answer. */
const LONGEST_MS = 4
/**
 * After a pause of this length main sleeps, and the reply is not counted. By then caches and CPUs have gone to other
 * work, or to sleep: that makes a reply late, and not what this is about. Nor does a peer that never answers keep main
 * awake.
 */
const PAUSE_MS = 0.5

export class FasterWay implements WakeStrategy {
  readonly endsWithReply = true

  wants({ dialled }: PendingReply): boolean {
    return dialled
  }

  onSend(reply: PendingReply, now: number): number {
    const memory = (reply.memory ??= newMemory())
    const isAfterPause = now - memory.repliedAt > PAUSE_MS
    // The reply answers the oldest flush; or a later one, if that was so long ago that nothing answers it.
    if (reply.sentAt === 0 || now - reply.sentAt > LONGEST_MS) memory.isAfterPause = isAfterPause
    return memory.way === 'awake' && !isAfterPause ? AWAKE_MS : 0
  }

  onReply({ memory }: PendingReply, ms: number, now: number): void {
    if (memory === undefined) return
    memory.repliedAt = now
    if (memory.isAfterPause) return
    memory.replies++
    if (memory.replies > IGNORED_REPLIES) memory.totalMs += Math.min(ms, LONGEST_MS)
    if (memory.replies >= memory.phase) endPhase(memory)
  }

  onMiss({ memory }: PendingReply): void {
    if (memory === undefined) return
    memory.misses++
    // Only where there are replies to compare.
    if (memory.misses < LEAST_MISSES || memory.misses * REPLIES_A_MISS < memory.replies) return
    if (!memory.isTrial && memory.replies > LEAST_MISSES) endPhase(memory)
  }
}

function newMemory(): ReplyMemory {
  const phase = { way: 'awake', isTrial: false, phase: FIRST_PHASE, nextPhase: FIRST_PHASE } as const
  return { ...phase, replies: 0, totalMs: 0, misses: 0, meanBefore: 0, repliedAt: -Infinity, isAfterPause: true }
}

function endPhase(memory: ReplyMemory): void {
  const mean = memory.totalMs / (memory.replies - IGNORED_REPLIES)
  if (memory.isTrial) {
    const awake = memory.way === 'awake' ? mean : memory.meanBefore
    const asleep = memory.way === 'awake' ? memory.meanBefore : mean
    const faster = awake * MARGIN < asleep ? 'awake' : 'asleep'
    const hasChanged = faster === memory.way
    memory.nextPhase = hasChanged ? FIRST_PHASE : Math.min(memory.nextPhase * 2, LONGEST_PHASE)
    memory.way = faster
    memory.phase = memory.nextPhase
  } else {
    memory.meanBefore = mean
    memory.way = memory.way === 'awake' ? 'asleep' : 'awake'
    memory.phase = TRIAL_REPLIES
  }
  memory.isTrial = !memory.isTrial
  memory.replies = 0
  memory.totalMs = 0
  memory.misses = 0
}
