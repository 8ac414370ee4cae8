/**
 * CPU work for a server, which the request asks for by a count of laps. No clock is looked at while it runs: what two
 * busy threads do on one CPU takes twice as long, as any other work would.
 */

/** What a server answers: the request as it came, or what the work comes to. */
export type Answering = 'echo' | 'work'

/** A request begins with the work's seed and its laps; in the answer the result has taken the place of the laps. */
const SEED_AT = 0
const LAPS_AT = 4

/** Different requests, so that no result can be had without the work. */
const SEEDS = 16

const TRIES = 50
const CALLS = 200
const LAPS_A_CALL = 5_000

/**
 * Xorshift: each lap needs the result of the one before. No lap: the result is the seed, and so it is of 0.
 * Every compiler of Node makes the same few instructions of it, unlike of a multiplication.
 */
export function work(seed: number, laps: number): number {
  let value = seed
  for (let lap = 0; lap < laps; lap++) {
    value ^= value << 13
    value ^= value >>> 17
    value ^= value << 5
  }
  return value
}

/** How many laps a thread does a microsecond: in the fastest of some tries, when nothing else had its CPU. */
export function calibrate(): number {
  let fastest = Infinity
  let result = 1
  for (let i = 0; i < TRIES; i++) {
    const startedAt = performance.now()
    // A function is compiled for its next call once it was called often; a long loop alone is compiled for itself.
    for (let call = 0; call < CALLS; call++) result = work(result, LAPS_A_CALL)
    fastest = Math.min(fastest, performance.now() - startedAt)
  }
  return (CALLS * LAPS_A_CALL) / (fastest * 1_000)
}

const answers: Readonly<Record<Answering, (request: Buffer) => Buffer>> = {
  echo: (request) => request,
  work: (request) => {
    const answer = Buffer.from(request)
    answer.writeInt32LE(work(request.readInt32LE(SEED_AT), request.readInt32LE(LAPS_AT)), LAPS_AT)
    return answer
  },
}

export function answerer(answering: Answering): (request: Buffer) => Buffer {
  // Compiled before the first request: a lap then takes everywhere what it took where they were counted.
  if (answering === 'work') calibrate()
  return answers[answering]
}

/** Frames, as they are on the wire. */
export interface Question {
  readonly request: Buffer
  readonly answer: Buffer
}

/** By number. The work is done here, too, but only once. `payload`: where the payload of `frame` begins. */
export function workRequests(frame: Buffer, payload: number, laps: number): (number: number) => Question {
  const questions = Array.from({ length: SEEDS }, (_, index) => {
    const seed = index + 1
    const request = Buffer.from(frame)
    request.writeInt32LE(seed, payload + SEED_AT)
    request.writeInt32LE(laps, payload + LAPS_AT)
    const answer = Buffer.from(request)
    answer.writeInt32LE(work(seed, laps), payload + LAPS_AT)
    return { request, answer }
  })
  return (number) => {
    const question = questions[number % SEEDS]
    if (question === undefined) throw new Error(`${String(number)} is no number of a request`)
    return question
  }
}
