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

const LAPS_A_TRY = 2_000_000
const TRIES = 20

/** Each lap needs the result of the one before. None: the result is the seed. */
export function work(seed: number, laps: number): number {
  let value = seed
  for (let lap = 0; lap < laps; lap++) value = (Math.imul(value, 1_664_525) + 1_013_904_223) | 0
  return value
}

/** How many laps a thread does a microsecond: in the fastest of some tries, when nothing else had its CPU. */
export function calibrate(): number {
  let fastest = Infinity
  let result = 0
  for (let i = 0; i < TRIES; i++) {
    const startedAt = performance.now()
    result = work(result, LAPS_A_TRY)
    fastest = Math.min(fastest, performance.now() - startedAt)
  }
  return LAPS_A_TRY / (fastest * 1_000)
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
  return answers[answering]
}

/** Frames, as they are on the wire. */
export interface Question {
  readonly request: Buffer
  readonly answer: Buffer
}

/** By number. The work is done here, too, but only once. `payload`: where the payload of `frame` begins. */
export function workRequests(frame: Buffer, payload: number, laps: number): (number: number) => Question {
  const questions = Array.from({ length: SEEDS }, (_, seed) => {
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
