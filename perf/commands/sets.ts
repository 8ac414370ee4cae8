/** Which measurements a report is made of, by the name of the set. */

export const sets: Readonly<Record<string, readonly string[]>> = {
  /** A few minutes: whether it works, and about what to expect. */
  quick: [
    'latency --rounds 3 --count 2000',
    'throughput --sizes 64,65536 --rounds 3',
    'fan-in --connections 1,10,100 --rounds 3 --duration 0.5',
  ],
  /** What most people ask: about ten minutes. */
  standard: [
    'latency --sizes 64,1024,16384 --duration 0.3',
    'latency --transport shm --sizes 64,1024,16384 --duration 0.3',
    'throughput --sizes 64,1024,65536,1048576 --duration 0.5',
    'throughput --transport shm --sizes 64,1024,65536,1048576 --duration 0.5',
    'open-loop --rates 10,100,1000,10000 --rounds 3 --duration 1',
    'fan-in --connections 1,10,100,1000 --duration 0.5',
    'handlers --work 0,50,500 --rounds 3',
    'http --rounds 3',
    'busy-main --rounds 3',
    'trace --rounds 3',
  ],
  /** Everything that has figures. */
  full: [
    'latency --sizes 64,1024,16384,65536 --rounds 9',
    'latency --transport shm --sizes 64,1024,16384,65536 --rounds 9',
    'latency --transport stdio --sizes 64,1024,16384 --rounds 9',
    'open-loop --rates 1,10,100,1000,10000 --rounds 9',
    'throughput --sizes 64,256,1024,16384,65536,1048576 --framing line,nul,content-length,length-be --rounds 9',
    'throughput --transport shm --sizes 64,256,1024,16384,65536,1048576 --rounds 9',
    'trace --rounds 9',
    'fan-in --connections 1,10,100,1000,10000 --transport unix,shm --rounds 5',
    'shards --rounds 5',
    'busy-main --rounds 5',
    'handlers --rounds 9',
    'http --rounds 5',
    'accepts --rounds 9',
    'flood --rounds 9',
    'pool --connections 1,8,64 --rounds 9',
    'churn',
    'memory',
    'compare',
  ],
}
