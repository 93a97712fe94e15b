package broker_test

import "crypto/rand"

var randReader = rand.Reader
