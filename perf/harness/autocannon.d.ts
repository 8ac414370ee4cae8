/** What is used of autocannon, which comes without types. */
declare module 'autocannon' {
  interface Options {
    readonly url: string
    readonly socketPath: string
    readonly connections: number
    /** Requests in all. */
    readonly amount: number
    readonly expectBody: string
    /** Milliseconds between its samples. */
    readonly sampleInt: number
  }

  interface Result {
    readonly requests: { readonly total: number }
    /** Seconds. */
    readonly duration: number
    /** Milliseconds. */
    readonly latency: { readonly average: number; readonly p50: number; readonly p99: number }
    readonly errors: number
    readonly timeouts: number
    readonly mismatches: number
    readonly non2xx: number
    readonly '2xx': number
  }

  export default function autocannon(options: Options): Promise<Result>
}
