import { postgresLog, requestRedrive } from '#messaging'

/** Asks whoever parked these messages to take them up again. `ids` as in the topic `dead-letters`; any number of times, one effect. */
export const redrive = async (logUrl: string, ids: readonly string[], by: string): Promise<void> => {
  const driver = postgresLog({ url: logUrl })
  try {
    await requestRedrive(driver, { ids, by, at_ms: Date.now() })
  } finally {
    await driver.close()
  }
}
