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
    readonly mismatches: number
    readonly '2xx': number
  }

  interface Run extends PromiseLike<Result> {
    on(
      event: 'response',
      listener: (client: unknown, status: number, bytes: number, milliseconds: number) => void,
    ): this
  }

  export default function autocannon(options: Options): Run
}
