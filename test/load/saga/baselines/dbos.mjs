// DBOS Transact as its documentation shows it: a workflow of three steps that do nothing, each step's result kept before the next begins.
import { randomUUID } from 'node:crypto'
import { DBOS } from '@dbos-inc/dbos-sdk'

export const openDbos = async (url, connections) => {
  const step = async (nth) => nth
  const workflow = DBOS.registerWorkflow(
    async () => {
      for (const nth of [1, 2, 3]) await DBOS.runStep(() => step(nth), { name: `step-${nth}` })
    },
    { name: 'three-steps' },
  )
  DBOS.setConfig({ name: 'bench', systemDatabaseUrl: url, systemDatabasePoolSize: connections, logLevel: 'error', runAdminServer: false })
  await DBOS.launch()
  return {
    run: async () => {
      const handle = await DBOS.startWorkflow(workflow, { workflowID: randomUUID() })()
      await handle.getResult()
    },
    close: () => DBOS.shutdown(),
  }
}
