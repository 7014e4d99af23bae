"""The control of money: guarded acts, approvals, freezes, the switches of the desk."""
