/** Endpoints as labels, for hosts that have asked for them: a bounded number, since each is a time series for ever. */
const MOST = 100

const OTHERS = 'other'

export class EndpointNames {
  readonly #known = new Set<string>()

  /** The endpoint, or `other` once there have been a hundred. */
  of(endpoint: string): string {
    if (this.#known.has(endpoint)) return endpoint
    if (this.#known.size >= MOST) return OTHERS
    this.#known.add(endpoint)
    return endpoint
  }
}
