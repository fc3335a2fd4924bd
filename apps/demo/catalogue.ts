/**
 * A catalogue as a marketplace would have it: eight categories, each of brands x products, titles in English and Hindi, with the HSN code
 * and the GST rate of the schedules in force since 2025-09-22 (CBIC notification 9/2025-Central Tax (Rate)).
 */
export interface DemoProduct {
  readonly sku: string
  readonly title: string
  readonly description: string
  readonly category: string
  readonly brand: string
  readonly price: { readonly amount: string; readonly currency: 'INR' }
  readonly gstRate: number
  readonly hsn: string
  readonly attributes: Readonly<Record<string, string>>
}

type Named = readonly [english: string, hindi: string]

interface Category {
  readonly name: Named
  readonly code: string
  readonly brands: readonly Named[]
  /** Name, HSN and the cheapest brand's price in rupees. */
  readonly products: readonly (readonly [english: string, hindi: string, hsn: string, rupees: number])[]
  gstRate(rupees: number, hsn: string): number
}

const always = (rate: number) => () => rate
/** Apparel (61, 62) and footwear (64): 5 percent up to 2,500 rupees a piece, 18 above. A saree is a fabric (50), at 5 percent whatever it costs. */
const clothing = (rupees: number, hsn: string): number => (hsn.startsWith('50') || rupees <= 2_500 ? 5 : 18)

const CATEGORIES: readonly Category[] = [
  {
    name: ['mobiles', 'मोबाइल'],
    code: 'MOB',
    gstRate: always(18),
    brands: [
      ['Samsung', 'सैमसंग'],
      ['Redmi', 'रेडमी'],
      ['Vivo', 'वीवो'],
      ['Lava', 'लावा'],
      ['Motorola', 'मोटोरोला'],
    ],
    products: [
      ['5G Phone 64 GB', '5जी फ़ोन 64 जीबी', '8517', 9_999],
      ['5G Phone 128 GB', '5जी फ़ोन 128 जीबी', '8517', 13_999],
      ['Pro Phone 256 GB', 'प्रो फ़ोन 256 जीबी', '8517', 24_999],
      ['Feature Phone', 'फ़ीचर फ़ोन', '8517', 1_499],
      ['Fast Charger 33 W', 'फ़ास्ट चार्जर 33 वॉट', '8504', 999],
      ['Power Bank 10000 mAh', 'पावर बैंक 10000 एमएएच', '8507', 1_199],
    ],
  },
  {
    name: ['audio', 'ऑडियो'],
    code: 'AUD',
    gstRate: always(18),
    brands: [
      ['boAt', 'बोट'],
      ['Noise', 'नॉइज़'],
      ['JBL', 'जेबीएल'],
      ['Sony', 'सोनी'],
      ['Zebronics', 'ज़ेब्रोनिक्स'],
    ],
    products: [
      ['Wireless Earbuds', 'वायरलेस ईयरबड्स', '8518', 1_299],
      ['Neckband', 'नेकबैंड', '8518', 999],
      ['Headphones', 'हेडफ़ोन', '8518', 1_999],
      ['Bluetooth Speaker', 'ब्लूटूथ स्पीकर', '8518', 1_799],
      ['Soundbar', 'साउंडबार', '8518', 5_499],
      ['Wired Earphones', 'तार वाले ईयरफ़ोन', '8518', 399],
    ],
  },
  {
    name: ['computers', 'कंप्यूटर'],
    code: 'COM',
    gstRate: always(18),
    brands: [
      ['HP', 'एचपी'],
      ['Lenovo', 'लेनोवो'],
      ['Asus', 'आसुस'],
      ['Acer', 'एसर'],
      ['Dell', 'डेल'],
    ],
    products: [
      ['Laptop 8 GB', 'लैपटॉप 8 जीबी', '8471', 32_990],
      ['Laptop 16 GB', 'लैपटॉप 16 जीबी', '8471', 47_990],
      ['Wireless Mouse', 'वायरलेस माउस', '8471', 599],
      ['Keyboard', 'कीबोर्ड', '8471', 899],
      ['Monitor 24 inch', 'मॉनिटर 24 इंच', '8528', 8_999],
      ['USB Drive 128 GB', 'यूएसबी ड्राइव 128 जीबी', '8523', 749],
    ],
  },
  {
    name: ['books', 'किताबें'],
    code: 'BOO',
    gstRate: always(0),
    brands: [
      ['Rajkamal', 'राजकमल'],
      ['Penguin', 'पेंगुइन'],
      ['NBT', 'एनबीटी'],
      ['Arihant', 'अरिहंत'],
      ['Vani', 'वाणी'],
    ],
    products: [
      ['Novel', 'उपन्यास', '4901', 249],
      ['Short Stories', 'कहानियाँ', '4901', 199],
      ['Poems', 'कविताएँ', '4901', 175],
      ['Exam Guide', 'परीक्षा गाइड', '4901', 425],
      ["Children's Picture Book", 'बच्चों की चित्र पुस्तक', '4903', 149],
      ['Atlas of India', 'भारत का एटलस', '4905', 350],
    ],
  },
  {
    name: ['grocery', 'किराना'],
    code: 'GRO',
    gstRate: always(5),
    brands: [
      ['Tata', 'टाटा'],
      ['Aashirvaad', 'आशीर्वाद'],
      ['Fortune', 'फ़ॉर्च्यून'],
      ['Patanjali', 'पतंजलि'],
      ['Organic India', 'ऑर्गेनिक इंडिया'],
    ],
    products: [
      ['Tea 500 g', 'चाय 500 ग्राम', '0902', 265],
      ['Basmati Rice 5 kg', 'बासमती चावल 5 किलो', '1006', 549],
      ['Mustard Oil 1 l', 'सरसों का तेल 1 लीटर', '1514', 189],
      ['Turmeric 200 g', 'हल्दी 200 ग्राम', '0910', 69],
      ['Ghee 1 l', 'घी 1 लीटर', '0405', 599],
      ['Biscuits 600 g', 'बिस्कुट 600 ग्राम', '1905', 120],
    ],
  },
  {
    name: ['fashion', 'फ़ैशन'],
    code: 'FAS',
    gstRate: clothing,
    brands: [
      ['Fabindia', 'फ़ैबइंडिया'],
      ['Manyavar', 'मान्यवर'],
      ['Biba', 'बीबा'],
      ['Bata', 'बाटा'],
      ['Peter England', 'पीटर इंग्लैंड'],
    ],
    products: [
      ['Cotton Kurta', 'सूती कुर्ता', '6205', 899],
      ['Silk Saree', 'रेशमी साड़ी', '5007', 2_299],
      ['T-Shirt', 'टी-शर्ट', '6109', 399],
      ['Jeans', 'जींस', '6203', 1_299],
      ['Leather Shoes', 'चमड़े के जूते', '6403', 1_999],
      ['Dupatta', 'दुपट्टा', '6214', 349],
    ],
  },
  {
    name: ['kitchen', 'रसोई'],
    code: 'KIT',
    gstRate: always(5),
    brands: [
      ['Prestige', 'प्रेस्टीज'],
      ['Hawkins', 'हॉकिन्स'],
      ['Milton', 'मिल्टन'],
      ['Borosil', 'बोरोसिल'],
      ['Vinod', 'विनोद'],
    ],
    products: [
      ['Pressure Cooker 3 l', 'प्रेशर कुकर 3 लीटर', '7615', 1_399],
      ['Tawa', 'तवा', '7615', 649],
      ['Kadhai', 'कड़ाही', '7323', 899],
      ['Steel Tiffin', 'स्टील टिफ़िन', '7323', 499],
      ['Dinner Set', 'डिनर सेट', '7323', 1_799],
      ['Water Bottle 1 l', 'पानी की बोतल 1 लीटर', '7323', 449],
    ],
  },
  {
    name: ['beauty', 'सौंदर्य'],
    code: 'BEA',
    gstRate: always(5),
    brands: [
      ['Himalaya', 'हिमालया'],
      ['Dabur', 'डाबर'],
      ['Biotique', 'बायोटिक'],
      ['Parachute', 'पैराशूट'],
      ['Godrej', 'गोदरेज'],
    ],
    products: [
      ['Hair Oil 300 ml', 'बालों का तेल 300 मिली', '3305', 185],
      ['Shampoo 340 ml', 'शैम्पू 340 मिली', '3305', 245],
      ['Toothpaste 200 g', 'टूथपेस्ट 200 ग्राम', '3306', 110],
      ['Bath Soap, pack of 4', 'नहाने का साबुन, 4 का पैक', '3401', 160],
      ['Talcum Powder', 'टैल्कम पाउडर', '3304', 130],
      ['Shaving Cream', 'शेविंग क्रीम', '3307', 95],
    ],
  },
]

/** 240 products, always the same. */
export const CATALOGUE: readonly DemoProduct[] = CATEGORIES.flatMap((category) =>
  category.brands.flatMap((brand, b) =>
    category.products.map(([english, hindi, hsn, least], p): DemoProduct => {
      const rupees = Math.round(least * (1 + b * 0.15))
      return {
        sku: `${category.code}-${b + 1}${String(p + 1).padStart(2, '0')}`,
        title: `${brand[0]} ${english} · ${brand[1]} ${hindi}`,
        description: `${brand[0]} ${english} in ${category.name[0]}. ${category.name[1]} में ${brand[1]} ${hindi}.`,
        category: category.name[0],
        brand: brand[0],
        price: { amount: String(rupees * 100), currency: 'INR' },
        gstRate: category.gstRate(rupees, hsn),
        hsn,
        attributes: { titleHindi: `${brand[1]} ${hindi}` },
      }
    }),
  ),
)
