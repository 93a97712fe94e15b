package token

import "math/big"

// rocaPrimes are the odd primes among the first 39. The faulty generator uses their product.
var rocaPrimes = []int64{
	3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97,
	101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
}

// isROCA reports whether a modulus comes from the faulty key generator of CVE-2017-15361. Its
// private keys can be computed from the public ones. Modulo each of the small primes, both factors
// are powers of 65537, and so is their product. A modulus of another generator has this property by
// chance once in about a hundred million times.
func isROCA(modulus *big.Int) bool {
	for _, prime := range rocaPrimes {
		rest := new(big.Int).Mod(modulus, big.NewInt(prime)).Int64()
		power := int64(1)
		found := false
		for range prime - 1 {
			if power == rest {
				found = true
				break
			}
			power = power * 65537 % prime
		}
		if !found {
			return false
		}
	}
	return true
}
