import { logConformance, MemoryBroker, MemoryConsumerStore, memoryLog, runtimeConformance } from '#messaging/testing'
import { systemClock, type Transaction } from '#kernel'
import { asMemory, hastened, memoryTransactions } from '#kernel/testing'

logConformance('memory', () => {
  const broker = new MemoryBroker()
  return Promise.resolve({ driver: () => memoryLog(broker), stop: () => Promise.resolve() })
})

runtimeConformance('memory', () => {
  const broker = new MemoryBroker()
  const lines: string[] = []
  const clock = hastened(systemClock, 50)
  return Promise.resolve({
    clock,
    driver: () => memoryLog(broker, { clock }),
    transactions: memoryTransactions(),
    consumerStore: new MemoryConsumerStore(),
    write: (tx: Transaction, line: string) => Promise.resolve(asMemory(tx).onCommit(() => void lines.push(line))),
    written: () => Promise.resolve(lines),
    remove: (topic) => Promise.resolve(broker.remove(topic)),
    stop: () => Promise.resolve(),
  })
})
