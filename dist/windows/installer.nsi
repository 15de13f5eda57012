; The Windows installer. Build it with
;   makensis -DPROGRAM=path/to/lanparty-client-win.exe -DWINDOW=path/to/lanparty.exe -DVERSION=0.1.0 \
;     -DICON=path/to/lanparty-client.ico -DOUT=setup.exe installer.nsi
; A TAP-Windows6 package put beside the finished setup.exe as tap-windows-setup.exe is installed too,
; when this PC has no such driver; see docs/windows.md for where it comes from.
; `/S` asks nothing; the uninstaller's `/S /FORGET` also forgets rooms and identity.

Target amd64-unicode
!include "LogicLib.nsh"
!include "FileFunc.nsh"

!define NAME "softlan-vpn"
!define UNINSTALL_KEY "Software\Microsoft\Windows\CurrentVersion\Uninstall\${NAME}"
!define RUN_KEY "Software\Microsoft\Windows\CurrentVersion\Run"
!define SCHEME_KEY "Software\Classes\lanparty"
!define DRIVER_SERVICE "SYSTEM\CurrentControlSet\Services\tap0901"
!define DRIVER_SETUP "tap-windows-setup.exe"
; What `lanparty-client service --stop` ends with when the service ran.
!define DID_RUN 10

Name "${NAME} ${VERSION}"
OutFile "${OUT}"
InstallDir "$PROGRAMFILES64\${NAME}"
; Where an earlier version is.
InstallDirRegKey HKLM "${UNINSTALL_KEY}" "InstallLocation"
RequestExecutionLevel admin
SetCompressor /SOLID lzma
Icon "${ICON}"
UninstallIcon "${ICON}"

Page components
Page directory
Page instfiles
UninstPage uninstConfirm
UninstPage instfiles

Var ServiceRan

Function .onInit
  SetRegView 64
  SetShellVarContext all
FunctionEnd

Function un.onInit
  SetRegView 64
  SetShellVarContext all
FunctionEnd

; An open window keeps its file, but only until it is closed. It holds no party; the service does.
!macro EndWindow
  nsExec::Exec `powershell.exe -NoProfile -Command "Get-Process lanparty -ErrorAction SilentlyContinue | Where-Object Path -eq '$INSTDIR\lanparty.exe' | Stop-Process -Force"`
  Pop $0
  Delete "$INSTDIR\lanparty.old.exe"
  Delete "$INSTDIR\lanparty.exe"
  ${If} ${FileExists} "$INSTDIR\lanparty.exe"
    Rename "$INSTDIR\lanparty.exe" "$INSTDIR\lanparty.old.exe"
    Delete /REBOOTOK "$INSTDIR\lanparty.old.exe"
  ${EndIf}
!macroend

Section "The LAN party client"
  SectionIn RO
  ; The service of an earlier version lets go of its file, and has undone its changes then. What it had joined, it keeps.
  InitPluginsDir
  SetOutPath "$PLUGINSDIR"
  File "/oname=lanparty-client.exe" "${PROGRAM}"
  nsExec::ExecToLog '"$PLUGINSDIR\lanparty-client.exe" service --stop'
  Pop $ServiceRan
  ${If} $ServiceRan != 0
  ${AndIf} $ServiceRan != ${DID_RUN}
    Abort "The service of an earlier version does not end; start the PC anew and start the setup again."
  ${EndIf}

  SetOutPath "$INSTDIR"
  !insertmacro EndWindow
  ClearErrors
  File "/oname=lanparty-client.exe" "${PROGRAM}"
  ${If} ${Errors}
    Abort "The client is running in a console; end it and start the setup again."
  ${EndIf}
  File "/oname=lanparty.exe" "${WINDOW}"
  WriteUninstaller "$INSTDIR\uninstall.exe"

  nsExec::ExecToLog '"$INSTDIR\lanparty-client.exe" service --install'
  Pop $0
  ${If} $0 != 0
    Abort "Windows did not take the service; start the PC anew and start the setup again."
  ${EndIf}

  CreateDirectory "$SMPROGRAMS\${NAME}"
  CreateShortCut "$SMPROGRAMS\${NAME}\Join a LAN party.lnk" "$INSTDIR\lanparty.exe"
  ; Their windows stay open until a person has read what they say.
  CreateShortCut "$SMPROGRAMS\${NAME}\Check this PC.lnk" "$INSTDIR\lanparty-client.exe" "doctor"
  CreateShortCut "$SMPROGRAMS\${NAME}\Undo what a crash left.lnk" "$INSTDIR\lanparty-client.exe" "repair"

  ; Invites are links; what follows the scheme is one argument, whatever is in it. The window asks before it joins.
  WriteRegStr HKLM "${SCHEME_KEY}" "" "URL:LAN party invite"
  WriteRegStr HKLM "${SCHEME_KEY}" "URL Protocol" ""
  WriteRegStr HKLM "${SCHEME_KEY}\DefaultIcon" "" "$INSTDIR\lanparty.exe,0"
  WriteRegStr HKLM "${SCHEME_KEY}\shell\open\command" "" '"$INSTDIR\lanparty.exe" "%1"'

  WriteRegStr HKLM "${UNINSTALL_KEY}" "DisplayName" "${NAME}"
  WriteRegStr HKLM "${UNINSTALL_KEY}" "DisplayVersion" "${VERSION}"
  WriteRegStr HKLM "${UNINSTALL_KEY}" "DisplayIcon" "$INSTDIR\lanparty-client.exe"
  WriteRegStr HKLM "${UNINSTALL_KEY}" "InstallLocation" "$INSTDIR"
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

  ; After an upgrade the party goes on.
  ${If} $ServiceRan == ${DID_RUN}
    nsExec::ExecToLog '"$INSTDIR\lanparty-client.exe" service --start'
    Pop $0
  ${EndIf}
SectionEnd

; Not chosen unless somebody does, and not by `/S`.
Section /o "Icon beside the clock from the start"
  WriteRegStr HKLM "${RUN_KEY}" "${NAME}" '"$INSTDIR\lanparty.exe" --hidden'
SectionEnd

Section "Uninstall"
  nsExec::ExecToLog '"$INSTDIR\lanparty-client.exe" service --remove'
  Pop $0
  ${If} $0 != 0
    Abort "The service does not end; start the PC anew and start the removal again."
  ${EndIf}
  ; While the program is still there to undo what a killed run left.
  nsExec::ExecToLog '"$INSTDIR\lanparty-client.exe" repair'
  Pop $0
  ${If} $0 == 0
    DeleteRegKey HKLM "Software\${NAME}"
  ${Else}
    DetailPrint "Some network settings could not be restored; start the PC anew."
  ${EndIf}
  !insertmacro EndWindow
  Delete "$INSTDIR\lanparty-client.exe"
  ${If} ${FileExists} "$INSTDIR\lanparty-client.exe"
    Abort "The client is running in a console; end it and start the removal again."
  ${EndIf}
  Delete "$INSTDIR\uninstall.exe"
  RMDir "$INSTDIR"
  Delete "$SMPROGRAMS\${NAME}\Join a LAN party.lnk"
  Delete "$SMPROGRAMS\${NAME}\Check this PC.lnk"
  Delete "$SMPROGRAMS\${NAME}\Undo what a crash left.lnk"
  RMDir "$SMPROGRAMS\${NAME}"
  DeleteRegValue HKLM "${RUN_KEY}" "${NAME}"
  DeleteRegKey HKLM "${SCHEME_KEY}"
  DeleteRegKey HKLM "${UNINSTALL_KEY}"

  ReadEnvStr $0 "ProgramData"
  Delete "$0\${NAME}\running.txt"
  Delete "$0\${NAME}\service.log"
  Delete "$0\${NAME}\service.old.log"
  ; Nobody but administrators can have put anything else there.
  ${GetParameters} $1
  ClearErrors
  ${GetOptions} $1 "/FORGET" $2
  ${IfNot} ${Errors}
    RMDir /r "$0\${NAME}"
  ${ElseIf} ${FileExists} "$0\${NAME}\*.json"
    ${If} ${Cmd} `MessageBox MB_YESNO|MB_ICONQUESTION "Also forget this PC's rooms and its identity at LAN parties?" /SD IDNO IDYES`
      RMDir /r "$0\${NAME}"
    ${EndIf}
  ${EndIf}
  RMDir "$0\${NAME}"
SectionEnd
