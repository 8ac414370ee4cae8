import { shared } from './shared.js'
import { transportContract } from './transport-contract.js'

transportContract(shared('shm'))
