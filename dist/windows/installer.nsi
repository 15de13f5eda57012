; The Windows installer. Build it with
;   makensis -DPROGRAM=path/to/lanparty-client-win.exe -DVERSION=0.1.0 \
;     -DICON=path/to/lanparty-client.ico -DOUT=setup.exe installer.nsi
; A TAP-Windows6 package put beside the finished setup.exe as tap-windows-setup.exe is installed too,
; when this PC has no such driver; see docs/windows.md for where it comes from.

Target amd64-unicode
!include "LogicLib.nsh"
!include "FileFunc.nsh"

!define NAME "softlan-vpn"
!define UNINSTALL_KEY "Software\Microsoft\Windows\CurrentVersion\Uninstall\${NAME}"
!define SCHEME_KEY "Software\Classes\lanparty"
!define DRIVER_SERVICE "SYSTEM\CurrentControlSet\Services\tap0901"
!define DRIVER_SETUP "tap-windows-setup.exe"

Name "${NAME} ${VERSION}"
OutFile "${OUT}"
InstallDir "$PROGRAMFILES64\${NAME}"
RequestExecutionLevel admin
SetCompressor /SOLID lzma
Icon "${ICON}"
UninstallIcon "${ICON}"

Page directory
Page instfiles
UninstPage uninstConfirm
UninstPage instfiles

Function .onInit
  SetRegView 64
  SetShellVarContext all
FunctionEnd

Function un.onInit
  SetRegView 64
  SetShellVarContext all
FunctionEnd

Section
  SetOutPath "$INSTDIR"
  ClearErrors
  File "/oname=lanparty-client.exe" "${PROGRAM}"
  ${If} ${Errors}
    Abort "The client is running; end it and start the setup again."
  ${EndIf}
  WriteUninstaller "$INSTDIR\uninstall.exe"

  CreateDirectory "$SMPROGRAMS\${NAME}"
  ; It asks for the invite.
  CreateShortCut "$SMPROGRAMS\${NAME}\Join a LAN party.lnk" "$INSTDIR\lanparty-client.exe" "-"
  ; Their windows stay open until a person has read what they say.
  CreateShortCut "$SMPROGRAMS\${NAME}\Check this PC.lnk" "$INSTDIR\lanparty-client.exe" "doctor"
  CreateShortCut "$SMPROGRAMS\${NAME}\Undo what a crash left.lnk" "$INSTDIR\lanparty-client.exe" "repair"

  ; Invites are links; what follows the scheme is one argument, whatever is in it.
  WriteRegStr HKLM "${SCHEME_KEY}" "" "URL:LAN party invite"
  WriteRegStr HKLM "${SCHEME_KEY}" "URL Protocol" ""
  WriteRegStr HKLM "${SCHEME_KEY}\DefaultIcon" "" "$INSTDIR\lanparty-client.exe,0"
  WriteRegStr HKLM "${SCHEME_KEY}\shell\open\command" "" '"$INSTDIR\lanparty-client.exe" "%1"'

  WriteRegStr HKLM "${UNINSTALL_KEY}" "DisplayName" "${NAME}"
  WriteRegStr HKLM "${UNINSTALL_KEY}" "DisplayVersion" "${VERSION}"
  WriteRegStr HKLM "${UNINSTALL_KEY}" "DisplayIcon" "$INSTDIR\lanparty-client.exe"
  WriteRegStr HKLM "${UNINSTALL_KEY}" "UninstallString" '"$INSTDIR\uninstall.exe"'
  WriteRegStr HKLM "${UNINSTALL_KEY}" "QuietUninstallString" '"$INSTDIR\uninstall.exe" /S'
  WriteRegDWORD HKLM "${UNINSTALL_KEY}" "NoModify" 1
  WriteRegDWORD HKLM "${UNINSTALL_KEY}" "NoRepair" 1

  ReadRegStr $0 HKLM "${DRIVER_SERVICE}" "ImagePath"
  ${If} $0 == ""
    ${If} ${FileExists} "$EXEDIR\${DRIVER_SETUP}"
      ExecWait '"$EXEDIR\${DRIVER_SETUP}" /S' $1
      DetailPrint "TAP-Windows6 setup ended with $1."
    ${Else}
      DetailPrint "The TAP-Windows6 driver is missing; docs/windows.md says where it comes from."
    ${EndIf}
  ${EndIf}
SectionEnd

Section "Uninstall"
  ; While the program is still there to undo what a killed run left.
  nsExec::ExecToLog '"$INSTDIR\lanparty-client.exe" repair'
  Pop $0
  ${If} $0 == 0
    DeleteRegKey HKLM "Software\${NAME}"
  ${Else}
    DetailPrint "Some network settings could not be restored; start the PC anew."
  ${EndIf}
  Delete "$INSTDIR\lanparty-client.exe"
  ${If} ${FileExists} "$INSTDIR\lanparty-client.exe"
    Abort "The client is running; end it and start the removal again."
  ${EndIf}
  Delete "$INSTDIR\uninstall.exe"
  RMDir "$INSTDIR"
  Delete "$SMPROGRAMS\${NAME}\Join a LAN party.lnk"
  Delete "$SMPROGRAMS\${NAME}\Check this PC.lnk"
  Delete "$SMPROGRAMS\${NAME}\Undo what a crash left.lnk"
  RMDir "$SMPROGRAMS\${NAME}"
  DeleteRegKey HKLM "${SCHEME_KEY}"
  DeleteRegKey HKLM "${UNINSTALL_KEY}"
  ReadEnvStr $0 "ProgramData"
  Delete "$0\${NAME}\running.txt"
  RMDir "$0\${NAME}"
SectionEnd
