/**
 * The memory that main and a shard share, drawn once for both.
 *
 * LANE HEADER: 64 Int32 words (256 bytes), 256 lanes to a header slab. "out" is main to shard to peer,
 * "in" is peer to shard to main. A line is a 64-byte cache line; a line has one writer, except the two
 * handshake lines, whose words both sides change by atomic exchange.
 *
 *   line 0  words  0-15  main writes    OUT_TAIL  OUT_REGION  OUT_SWITCH_AT  OUT_INTENT
 *                                       IN_HEAD  IN_REGION_ACK  IN_GRANT  GENERATION  OUT_SPACE_AT
 *                                       IN_NOTIFY_AT  IN_READER  IN_READ_FAILURE
 *   line 1  words 16-31  shard writes   OUT_HEAD  OUT_SENT  OUT_REGION_ACK  OUT_STATE
 *                                       IN_TAIL  IN_REGION  IN_SWITCH_AT  IN_STATE
 *                                       LIFE  FAILURE  FAILURE_CALL  IN_SPACE_AT  IN_HELD
 *                                       IN_LENT
 *   line 2  words 32-47  handshakes     OUT_NOTIFY (shard arms, main takes)  OUT_SPACE (main arms, shard takes)
 *                        shard writes   OUT_TAKEN_AT  OUT_WRITTEN_AT, while hops are traced
 *   line 3  words 48-63  handshakes     IN_NOTIFY  (main arms, shard takes)  IN_SPACE  (shard arms, main takes)
 *                                       IN_GROW    (shard arms, main takes)
 *                                       IN_GUARD   (main arms, shard takes)
 *                        shard writes   IN_READ_AT, while hops are traced
 *
 * POSITIONS are byte counts modulo 2^32, kept as Int32 and compared by wrapping subtraction. A ring's
 * capacity is a power of two of at most 2^30, so a difference never reaches the sign bit. Positions only
 * grow; the byte at position p lies at (p & (capacity - 1)) of its region. HEAD <= SENT <= TAIL:
 *
 *        HEAD               SENT                TAIL
 *   free  |  in the kernel's  |  not handed over  |  free
 *         |  write call       |  yet              |
 *
 * REGION CHANGE (growing, shrinking): the producer stores SWITCH_AT, then REGION, then a TAIL beyond it.
 * Bytes before SWITCH_AT lie in the old region, later ones in the new. The consumer that has released
 * everything before SWITCH_AT stores REGION_ACK; only then is the old region free and another change allowed.
 *
 * WANTING ROOM: a producer that ran out stores the HEAD it needs in SPACE_AT, then arms SPACE; the consumer that
 * releases up to there takes SPACE and notifies. A position, not an amount, so that it holds across region changes.
 *
 * WANTING BYTES: main, in the middle of a large frame, stores the TAIL from which it can go on in IN_NOTIFY_AT before
 * it arms IN_NOTIFY, so that it is not woken for each of the pieces.
 *
 * BYTES THAT DO NOT SHOW: where the framing is translated, the beginning of a frame may wait in the shard. IN_HELD says
 * so; main arms IN_GUARD to be woken for it, while the connection is unused and no byte is expected.
 *
 * MAIN READS: main asks for the reading of a socket with a number in IN_READER, another one each time. The shard that
 * has stopped reading for good stores that number in IN_LENT, after its last TAIL. While both are the same and not 0,
 * main alone is the in ring's producer: it stores IN_TAIL, and IN_STATE if it takes the end too. It ends that with 0 in
 * IN_READER, after its own last TAIL; the shard, once it has seen that, goes on from there. So one side alone can begin
 * it, and the other alone can end it. An error that main has read is in IN_READ_FAILURE: the system reports it once.
 *
 * TIMES: while hops are traced, the shard stores when it began to write (OUT_TAKEN_AT), when it had written
 * (OUT_WRITTEN_AT), and when it read (IN_READ_AT): the last 32 bits of the hop clock, before the HEAD or the TAIL that
 * the time belongs to. Nothing else depends on them, and otherwise nobody touches them.
 *
 * BELL: PARKED and TOP in a line of their own, then the summary words, then the
 * leaves. One leaf bit a lane, one summary bit for each 32 leaf bits, one bit of TOP for each summary word: 32 x 32 x
 * 32 lanes, found in three steps.
 */

export const LANE_WORDS = 64
export const LANES_PER_HEADER_SLAB = 256
/** One shard's lanes: 32 leaf bits x 32 summary bits x 32 summary words. */
export const MAX_LANES = 32_768

export const lane = {
  OUT_TAIL: 0,
  OUT_REGION: 1,
  OUT_SWITCH_AT: 2,
  OUT_INTENT: 3,
  IN_HEAD: 4,
  IN_REGION_ACK: 5,
  IN_GRANT: 6,
  GENERATION: 7,
  OUT_SPACE_AT: 8,
  IN_NOTIFY_AT: 9,
  IN_READER: 10,
  IN_READ_FAILURE: 11,

  OUT_HEAD: 16,
  OUT_SENT: 17,
  OUT_REGION_ACK: 18,
  OUT_STATE: 19,
  IN_TAIL: 20,
  IN_REGION: 21,
  IN_SWITCH_AT: 22,
  IN_STATE: 23,
  LIFE: 24,
  FAILURE: 25,
  FAILURE_CALL: 26,
  IN_SPACE_AT: 27,
  IN_HELD: 28,
  IN_LENT: 29,

  OUT_NOTIFY: 32,
  OUT_SPACE: 33,
  OUT_TAKEN_AT: 34,
  OUT_WRITTEN_AT: 35,
  IN_NOTIFY: 48,
  IN_SPACE: 49,
  IN_GROW: 50,
  IN_GUARD: 51,
  IN_READ_AT: 52,
} as const

/**
 * OUT_INTENT: what main wants done once everything before TAIL has left. END: end the outgoing side, where the
 * transport can do that alone. CLOSE: end it in any case, even if the incoming side goes with it. DESTROY: at once,
 * leaving or not. LEAVE: close the socket and end nothing, since a duplicate of it lives on.
 */
export const intent = { OPEN: 0, END: 1, DESTROY: 2, CLOSE: 3, LEAVE: 4 } as const
/** OUT_STATE: whether the shard has flushed everything and ended the outgoing side, or cannot write any more. */
export const outState = { OPEN: 0, ENDED: 1, FAILED: 2 } as const
/** IN_STATE: whether the peer's end of stream lies behind IN_TAIL. */
export const inState = { OPEN: 0, ENDED: 1 } as const
/** LIFE: CLOSED is the shard's last store into a lane; main may hand the memory out again after it. */
export const life = { DETACHED: 0, ATTACHED: 1, CLOSED: 2 } as const
/**
 * FAILURE: a positive errno, or -1 minus the index of a code in `framingFaults`; 0: none.
 * FAILURE_CALL: the system call that an errno came from.
 */
export const failureCalls = ['unknown', 'read', 'write', 'shutdown', 'connect'] as const

/** The words of one direction, so that one producer and one consumer class serve both. */
export interface RingWords {
  readonly tail: number
  readonly head: number
  readonly region: number
  readonly switchAt: number
  readonly regionAck: number
}

export const outWords: RingWords = {
  tail: lane.OUT_TAIL,
  head: lane.OUT_HEAD,
  region: lane.OUT_REGION,
  switchAt: lane.OUT_SWITCH_AT,
  regionAck: lane.OUT_REGION_ACK,
}

export const inWords: RingWords = {
  tail: lane.IN_TAIL,
  head: lane.IN_HEAD,
  region: lane.IN_REGION,
  switchAt: lane.IN_SWITCH_AT,
  regionAck: lane.IN_REGION_ACK,
}

export const bell = {
  PARKED: 0,
  TOP: 1,
  SUMMARY: 16,
  LEAVES: 16 + MAX_LANES / 1024,
  WORDS: 16 + MAX_LANES / 1024 + MAX_LANES / 32,
} as const

/** Ring regions come in these sizes; a ring climbs them as it is used. */
export const regionBytes = [4096, 8192, 32_768, 131_072, 524_288, 2_097_152, 8_388_608] as const
/** The smallest region that holds `bytes`, or the largest there is. */
export function regionSizeFor(bytes: number): number {
  return regionBytes.find((size) => size >= bytes) ?? regionBytes[regionBytes.length - 1] ?? 0
}

/** What a ring grows to because it is full. More room helps large frames only: small ones would leave the caches. */
const FULL_RING_BYTES = 2_097_152
/** A ring has room for so many of its frames, so that both sides can work at once. */
const FRAMES_IN_RING = 4

/** The size that a full ring should grow to, given the frames that it carries; its own size if it should not. */
export function grownRingBytes(capacity: number, frameBytes: number, limit: number): number {
  const full = Math.min(capacity * 4, FULL_RING_BYTES)
  const frames = regionSizeFor(frameBytes * FRAMES_IN_RING)
  return Math.max(capacity, Math.min(limit, Math.max(full, frames)))
}

/** A slab is one piece of shared memory that regions of all sizes are cut from; the largest fills it. */
export const SLAB_BYTES = 8_388_608
/** What a slab is counted in: the smallest region. */
export const UNIT_BYTES = 4096
export const UNITS_PER_SLAB = SLAB_BYTES / UNIT_BYTES

/**
 * REGION ID: says where a region lies and how large it is, so that a thread needs to know nothing but the slabs.
 *
 *   bits 15-30  slab, from 1, so that no region has id 0
 *   bits  4-14  its first unit in the slab
 *   bits  0-3   its order: it has UNIT_BYTES << order bytes
 */
export const MAX_SLAB_ID = 0xffff

export function regionIdOf(slabId: number, unit: number, order: number): number {
  return (slabId << 15) | (unit << 4) | order
}

export function slabOfRegion(regionId: number): number {
  return regionId >>> 15
}

export function unitOfRegion(regionId: number): number {
  return (regionId >>> 4) & (UNITS_PER_SLAB - 1)
}

export function orderOfRegion(regionId: number): number {
  return regionId & 15
}

/** The order of a region of `bytes`, a power of two of at least UNIT_BYTES. */
export function orderFor(bytes: number): number {
  return 31 - Math.clz32(bytes / UNIT_BYTES)
}

export function sizeOfRegion(regionId: number): number {
  return UNIT_BYTES << orderOfRegion(regionId)
}

/** Ring frames: u32 little-endian payload length, then the payload. */
export const FRAME_HEADER_BYTES = 4
