import Type from 'typebox'

/** The regions of AWS, Google Cloud and Azure that are in India. */
const CLOUD_REGIONS = ['ap-south-1', 'ap-south-2', 'asia-south1', 'asia-south2', 'centralindia', 'southindia', 'westindia']

/**
 * Where what an app writes is kept: its database, its topics and their backups. Payment system data is stored in India alone (RBI, Storage of
 * Payment System Data, DPSS.CO.OD.No 2785/06.08.005/2017-18, 2018-04-06), so there is no default, and any other place is refused. A region of
 * a cloud, or `in-` and the name of a data centre of one's own in India.
 */
export const Region = Type.String({
  pattern: `^(${CLOUD_REGIONS.join('|')}|in-[a-z0-9]([a-z0-9-]{0,60}[a-z0-9])?)$`,
  description:
    'Where the database, the topics and their backups are: a region of a cloud in India, or `in-` and the name of a data centre of your own there. ' +
    'Any other is refused (RBI, storage of payment system data, 2018).',
})

export const REGION_REFUSED = `must be in India (RBI, storage of payment system data, 2018): ${CLOUD_REGIONS.join(', ')}, or in-<your data centre>`
