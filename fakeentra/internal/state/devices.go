package state

import (
	"time"

	"mcpentra/fakeentra/directory"
	"mcpentra/fakeentra/internal/rules"
)

// A DeviceCode is the request of a device without a browser (RFC 8628), and a person's answer.
type DeviceCode struct {
	Path     *rules.TenantPath
	Client   *directory.App
	Scope    string
	UserCode string
	Issued   time.Time
	Version  rules.Version

	declined bool
	granted  *rules.Delegation
}

// AddDevice keeps the request of a device by its device code and its user code.
func (s *State) AddDevice(secret string, device *DeviceCode) {
	s.devices.Add(secret, device)
	s.userCodes.Add(device.UserCode, device)
}

// Device finds a request by its device code.
func (s *State) Device(secret string) (*DeviceCode, bool) { return s.devices.Get(secret) }

// DeviceOfUser finds a request by its user code.
func (s *State) DeviceOfUser(userCode string) (*DeviceCode, bool) { return s.userCodes.Get(userCode) }

// ApproveDevice records that a person approved a request.
func (s *State) ApproveDevice(device *DeviceCode, granted rules.Delegation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	device.granted = &granted
}

// DeclineDevice records that a person declined a request.
func (s *State) DeclineDevice(device *DeviceCode) {
	s.mu.Lock()
	defer s.mu.Unlock()
	device.declined = true
}

// DeviceAnswer returns the answer of a person. Without one, declined is false and granted is nil.
func (s *State) DeviceAnswer(device *DeviceCode) (declined bool, granted *rules.Delegation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return device.declined, device.granted
}

// RemoveDevice ends a request. It reports false if another call has ended it.
func (s *State) RemoveDevice(secret string, device *DeviceCode) bool {
	if !s.devices.Remove(secret) {
		return false
	}
	s.userCodes.Remove(device.UserCode)
	return true
}
